"""Every operator, case and implementation, as parameters. Nothing here names an operator."""

import jax.numpy as jnp
import pytest

from fcnn.ops import OPS


def over(wanted):
    """Run a test with (op, case, options) for every implementation of every case `wanted`."""
    found = [
        pytest.param(
            op, case, {**case.options, **i}, id="-".join([op.name, case.name, *i.values()])
        )
        for op in OPS
        for case in op.cases
        for i in ([{"impl": impl} for impl in op.impls] or [{}])
        if wanted(op, case)
    ]
    return pytest.mark.parametrize(("op", "case", "options"), found)


every_operator = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
every_case = over(lambda op, case: not case.raises)
one_case_each = over(lambda op, case: case is op.cases[0])
every_refusal = over(lambda op, case: case.raises)


def is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)
