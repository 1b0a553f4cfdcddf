"""Command `python -m experiments NAME`: run an experiment; without NAME, list all of them."""

import importlib
import sys

from experiments import NAMES
from experiments.framework import interrupt

PROG = "python -m experiments"
USAGE = f"""\
usage: {PROG} NAME [options]     (NAME --help lists the options)
       {PROG} all [--smoke] [--output-dir DIR]
       {PROG} judge FILE.json
"""
ALL = "Run all experiments, one after another. The exit code is the worst of theirs, in the order"
ORDER = "130 or 143 (interrupted), 2 (misuse), 1 (a claim failed), 3 (undecided or a fault), 0."


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        return _list()
    name, *options = arguments
    if name not in (*NAMES, "all", "judge"):
        from fcnn.ops.validation import did_you_mean

        known = ", ".join(map(repr, (*NAMES, "all", "judge")))
        hint = did_you_mean(name, (*NAMES, "all", "judge"))
        print(f"experiments: unknown name {name!r}; expected one of {known}{hint}", file=sys.stderr)
        return 2
    if name == "judge":
        from experiments.framework import judging

        return judging.main(options, NAMES, record)
    if name == "all":
        return _all(options)
    experiment = record(name)
    from experiments.framework import runner

    return runner.main(experiment, options)


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
        from fcnn.installation import install

        raise ImportError(f"no module {missing.name}; {install('experiments')}") from None
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImportError(f"experiments.{name} cannot be imported: {what}") from None
    if found.name != name:
        raise ImportError(f"experiments.{name}: EXPERIMENT has the name {found.name!r}")
    return found


def _list() -> int:
    """All experiments with their claims. One that cannot be imported hides no other."""
    print(USAGE)
    code = 0
    for name in NAMES:
        try:
            experiment = load(name)
        except ImportError as error:
            print(f"  {name:12s}  {error}")
            code = 2
            continue
        print(f"  {name:12s}  {experiment.title}")
        for claim in experiment.claims:
            print(f"  {'':12s}  - {claim.text}")
    return code


def _all(options: list[str]) -> int:
    """Run all experiments with the same options, until a signal arrives: the worst exit code."""
    records = list(map(record, NAMES))
    from experiments.framework.exit_codes import worst
    from experiments.framework.options import Output, parse, refuse
    from experiments.framework.runner import run

    common = parse(Output, "all", options, f"{ALL} {ORDER}")
    if common.continue_run:
        return refuse("all: --continue is an option of one experiment")
    smoke = ["--smoke"] if common.smoke else []
    codes = []
    with interrupt.listening("all"):
        for each in records:
            print(f"\n{PROG} {each.name}\n", flush=True)
            codes.append(run(each, [*smoke, "--output-dir", str(common.output_dir)]))
            if code := interrupt.exit_code():
                codes.append(code)
                break
    return worst(codes)


if __name__ == "__main__":
    interrupt.end_at_once()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt as signal:
        sys.exit(getattr(signal, "exit_code", 130))
