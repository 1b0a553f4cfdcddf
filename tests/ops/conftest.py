"""Sort the tests by operator, so that one process runs most tests of each operator.

A program that one test compiles is then in memory for the next test of the same operator. Images in
tests are small, so the loop of a depthwise dw runs here for every size.
"""

from fcnn.ops import Op
from fcnn.ops.convolution.impl import depthwise

depthwise.LEAST = 0


def pytest_collection_modifyitems(items):
    items.sort(key=_operator_and_impl)


def _operator_and_impl(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    op = given.get("op")
    if not isinstance(op, Op):
        return "", ""
    return op.name, given.get("options", {}).get("impl", "")
