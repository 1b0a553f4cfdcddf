"""All operators, cases and implementations as parameters of tests. No operator is named here."""

from functools import wraps

import pytest

from fcnn.checker.cases import ways
from fcnn.ops import OPS
from fcnn.ops.arrays import is_float


def over(wanted):
    """Run a test with (op, case, options) on every case for which `wanted(op, case)` is true.

    A proved case runs once for each implementation that supports it.
    """
    return _parameters(
        (op, case, options)
        for op in OPS
        for case in op.cases
        if wanted(op, case)
        for options in (ways(op, case) if case.proved else [case.options])
    )


def _parameters(found, reason=""):
    """Run a test on all `found` triples (op, case, options).

    If a reason is given, the first tier has only the first implementation of each operator.
    """
    name = lambda op, case, options: "-".join([op.name, case.name, *_impl(op, options)])
    second = lambda op, case, options: reason and op.impls and options["impl"] != op.impls[0]
    marks = lambda *each: [pytest.mark.all(reason)] if second(*each) else []
    return pytest.mark.parametrize(
        ("op", "case", "options"),
        [pytest.param(*each, id=name(*each), marks=marks(*each)) for each in found],
    )


def _impl(op, options):
    return [options["impl"]] if op.impls and "impl" in options else []


def _first_of_each(op):
    """Yield, for each implementation of `op`, the first proved case that it supports."""
    seen = set()
    for case in op.cases:
        for options in ways(op, case) if case.proved else []:
            if options.get("impl") not in seen:
                seen.add(options.get("impl"))
                yield op, case, options


def once_per_problem(compute):
    """Cache compute(op, case, options), for tests that share its result.

    The cache holds the results of one operator at a time: a compiled program takes megabytes, and
    tests are sorted by operator.
    """
    known = {}

    @wraps(compute)
    def cached(op, case, options):
        problem = op.name, case.name, options.get("impl")
        if any(name != op.name for name, *_ in known):
            known.clear()
        if problem not in known:
            known[problem] = compute(op, case, options)
        return known[problem]

    return cached


def takes_floats(op):
    """Whether an argument of the operator holds floats."""
    return any(map(is_float, op.cases[0].shapes()))


every_operator = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
every_case_of_floats = over(lambda op, case: case.proved and takes_floats(op))
every_case_served = over(lambda op, case: case.proved)
every_rejection = over(lambda op, case: case.raises)
every_extreme = over(lambda op, case: case.extreme)
_firsts = [found for op in OPS if takes_floats(op) for found in _first_of_each(op)]
one_case_each = _parameters(_firsts)
_of_every_operator = [found for op in OPS for found in _first_of_each(op)]
one_case_of_every_operator = _parameters(
    _of_every_operator, "1 s for each program; the first tier runs one program of each operator"
)
one_case_of_every_operator_by_auto = _parameters(
    found for found in _of_every_operator if found[-1].get("impl", "auto") == "auto"
)
one_case_each_of_auto = _parameters(
    _firsts, "1 s for each program; test_gradients checks all implementations"
)
