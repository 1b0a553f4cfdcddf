"""Level 6: experiments. `python -m experiments NAME` runs experiment NAME and writes its report.

Every module or package here that is not in SHARED has a record EXPERIMENT.
"""

from pathlib import Path

SHARED = ("__init__", "__main__", "framework", "results")
FOLDER = Path(__file__).parent
NAMES = tuple(
    sorted(
        (
            path.stem
            for path in FOLDER.iterdir()
            if path.stem not in SHARED and (path.suffix == ".py" or (path / "__init__.py").exists())
        ),
        key=lambda name: (name != "fc_vs_conv", name),  # the main experiment is the first
    )
)
