"""Backward passes written by hand from textbooks, courses and bug reports.

The cases in `tuning` were read while the checker was developed. The cases in `judging` were written
without having read the checker, and are read as totals only.
"""

from importlib import import_module
from pkgutil import iter_modules

from experiments.checkers.by_hand.case import ByHand


def _cases(folder: str, right: bool) -> tuple[ByHand, ...]:
    package = import_module(f"{__name__}.{folder}")
    modules = [
        import_module(f"{package.__name__}.{m.name}") for m in iter_modules(package.__path__)
    ]
    return tuple(case for m in modules for case in getattr(m, "RIGHT" if right else "WRONG"))


WRONG = {folder: _cases(folder, right=False) for folder in ("tuning", "judging")}
RIGHT = {folder: _cases(folder, right=True) for folder in ("tuning", "judging")}
