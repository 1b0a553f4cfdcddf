"""Tests of one operator are adjacent, so that mostly one process runs them all.

A program that one test compiled is then in memory for the next.
"""

from fcnn.ops import Op


def pytest_collection_modifyitems(items):
    items.sort(key=_problem)


def _problem(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    op = given.get("op")
    if not isinstance(op, Op):
        return "", ""
    return op.name, given.get("options", {}).get("impl", "")
