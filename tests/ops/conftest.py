"""Sort the tests by operator, so that one process runs most tests of each operator.

A program that one test compiles is then in memory for the next test of the same operator.
"""

from fcnn.ops import Op


def pytest_collection_modifyitems(items):
    items.sort(key=_operator_and_impl)


def _operator_and_impl(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    op = given.get("op")
    if not isinstance(op, Op):
        return "", ""
    return op.name, given.get("options", {}).get("impl", "")
