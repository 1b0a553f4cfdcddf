"""Command `python -m experiments NAME`: run an experiment; without NAME, list all of them."""

import importlib
import sys

from experiments import NAMES
from experiments.framework import interrupt

PROG = "python -m experiments"
USAGE = f"""\
usage: {PROG} NAME [options]  (NAME --help lists the options)
       {PROG} all [--smoke] [--output-dir DIR]
       {PROG} judge FILE.json
       {PROG} keep RUN        (keep the result of a run)
       {PROG} table           (write the table of kept results)"""
INSTALL = "pip install -e '.[experiments]'"
COMMANDS = ("all", "judge", "keep", "table")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        return _framework("listing").main(USAGE, records())
    name, *options = arguments
    if name not in (*NAMES, *COMMANDS):
        known = (*NAMES, *COMMANDS)
        expected = f"expected one of {', '.join(map(repr, known))}{_hint(name, known)}"
        print(f"experiments: unknown name {name!r}; {expected}", file=sys.stderr)
        return 2
    if name == "judge":
        return _framework("judging").main(options, NAMES, record)
    if name == "all":
        return _framework("every").main(options, records())
    if name in ("keep", "table"):
        return _framework("keeping").main(name, options, NAMES, record)
    return _framework("runner").main(record(name), options)


def _framework(name: str):
    """A module of the framework; if a package is missing, the process ends with one line."""
    try:
        return importlib.import_module(f"experiments.framework.{name}")
    except ModuleNotFoundError as missing:
        print(f"experiments: {_missing(missing)}", file=sys.stderr)
        sys.exit(2)


def _hint(name: str, known: tuple[str, ...]) -> str:
    """The most similar name; none without the packages that fcnn imports."""
    try:
        from fcnn.ops.validation import did_you_mean
    except ModuleNotFoundError:
        return ""
    return did_you_mean(name, known)


def _missing(package: ModuleNotFoundError) -> str:
    try:
        from fcnn.installation import install
    except ModuleNotFoundError:  # of a package that fcnn itself imports
        return f"no module {package.name}; {INSTALL}"
    return f"no module {package.name}; {install('experiments')}"


def record(name: str):
    """The record of experiment `name`; without one, the process ends with one line."""
    try:
        return load(name)
    except ImportError as error:
        print(f"experiments: {error}", file=sys.stderr)
        sys.exit(2)


def load(name: str):
    """The record of experiment `name`.

    Raises: ImportError, with one line, if the module cannot be imported or has no such record.
    """
    try:
        found = importlib.import_module(f"experiments.{name}").EXPERIMENT
    except AttributeError:
        raise ImportError(f"experiments.{name} has no EXPERIMENT") from None
    except ModuleNotFoundError as missing:
        raise ImportError(_missing(missing)) from None
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImportError(f"experiments.{name} cannot be imported: {what}") from None
    if found.name != name:
        raise ImportError(f"experiments.{name}: EXPERIMENT has the name {found.name!r}")
    return found


def records() -> dict:
    """The record of each experiment, or the error of one that cannot be imported."""
    found = {}
    for name in NAMES:
        try:
            found[name] = load(name)
        except ImportError as error:
            found[name] = error
    return found


if __name__ == "__main__":
    interrupt.end_at_once()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt as signal:
        sys.exit(getattr(signal, "exit_code", 130))
