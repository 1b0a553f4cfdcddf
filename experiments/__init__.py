"""Level 6: experiments. `python -m experiments NAME` runs experiment NAME and writes its report.

Every module or package here that is not in SHARED has a record EXPERIMENT.
"""

from pathlib import Path

SHARED = ("__init__", "__main__", "framework", "results")


def names(folder: Path) -> tuple[str, ...]:
    """The experiments in a folder: fc_vs_conv, the main one, and then all others by name."""
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    found = {*packages, *(path.stem for path in folder.glob("*.py"))} - {*SHARED}
    return tuple(sorted(found, key=lambda name: (name != "fc_vs_conv", name)))


NAMES = names(Path(__file__).parent)
