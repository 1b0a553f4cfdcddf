"""Command `python -m experiments NAME`: run an experiment; without NAME, list all of them."""

import importlib
import sys

from experiments import NAMES
from experiments.framework import interrupt

USAGE = "usage: python -m experiments NAME [options]     (NAME --help lists the options)"


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{USAGE}\n")
        for name in NAMES:
            print(f"  {name:12s}  {_module(name).TITLE}")
        return 0
    name, *options = arguments
    if name not in NAMES:
        known = ", ".join(map(repr, NAMES))
        print(f"experiments: unknown name {name!r}; expected one of {known}", file=sys.stderr)
        return 2
    interrupt.end_at_once()
    experiment = _module(name)
    interrupt.listen()
    return experiment.main(options)


def _module(name):
    try:
        return importlib.import_module(f"experiments.{name}")
    except ModuleNotFoundError as missing:
        from fcnn.installation import install

        sys.exit(f"experiments: no module {missing.name}; {install('experiments')}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
