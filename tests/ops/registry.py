"""Every operator, case and implementation, as parameters. Nothing here names an operator."""

import jax.numpy as jnp
import pytest

from fcnn.ops import OPS


def _impls(op):
    return [{"impl": i} for i in op.impls] or [{}]


def _params(wanted):
    return [
        pytest.param(
            op, case, {**case.options, **impl}, id="-".join([op.name, case.name, *impl.values()])
        )
        for op in OPS
        for case in op.cases
        for impl in _impls(op)
        if wanted(op, case)
    ]


every_operator = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
every_case = pytest.mark.parametrize(("op", "case", "options"), _params(lambda op, c: not c.raises))
one_case_each = pytest.mark.parametrize(
    ("op", "case", "options"), _params(lambda op, c: c is op.cases[0])
)
every_refusal = pytest.mark.parametrize(
    ("op", "case", "options"), [p for p in _params(lambda op, c: c.raises)]
)


def is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)
