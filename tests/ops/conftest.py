"""Tests of one operator stand together, so that mostly one process runs them all.

What one test compiled is then there for the next.
"""


def pytest_collection_modifyitems(items):
    items.sort(key=_problem)


def _problem(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    op = getattr(given.get("op"), "name", "")
    return op, given.get("options", {}).get("impl", "") if op else ""
