"""fcnn train: train a model, and continue after any interruption."""

import errno
import json
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import jax

from fcnn import training
from fcnn.cli import compile_cache
from fcnn.cli.output import write_whole
from fcnn.cli.train.dry_run import dry_run
from fcnn.cli.train.options import add_options
from fcnn.cli.train.packages import require_packages
from fcnn.cli.train.plan import Plan, plan
from fcnn.cli.train.progress import Screen
from fcnn.cli.train.replay import replay
from fcnn.cli.train.results import finish
from fcnn.cli.train.signals import Signals, signals
from fcnn.training.run import described

COMMAND = "fcnn train"
EXIT = "Exit code: 0 if training ended, 1 if a loss or a gradient is not finite, or if a dry run "
EXIT += "does not fit into memory, 2 for misuse or a file that cannot be written, 130 after Ctrl-C "
EXIT += "and 143 after SIGTERM; the state is then saved."


def add_to(tools) -> None:
    tool = tools.add_parser(
        "train",
        help="train a model, with checkpoints; the same command continues it",
        description="Train a model. After an interruption at any moment, also by "
        "SIGKILL, the same command continues from the last checkpoint, and ends with the same bits "
        f"as a run that was never interrupted, on the same machine. {EXIT}",
        epilog="Example: fcnn train cnn photos/ --size 64 --epochs 20 --keep-best accuracy, where "
        "photos/ has a folder of images for each class. RUN has the folder checkpoints, "
        "metrics.jsonl with one line per report, results.json and report.html. fcnn evaluate RUN, "
        "fcnn predict RUN IMAGE and fcnn verify RUN read it.",
    )
    add_options(tool)
    tool.set_defaults(run=run)


def run(chosen: Namespace) -> int:
    with signals() as arrived:
        try:
            require_packages()
            compile_cache.use(COMMAND, chosen.compile_cache)
            made = plan(chosen)
            for line in made.data.skipped:
                print(f"skipped {line}", flush=True)
            if chosen.dry_run:
                return dry_run(made)
            if chosen.replay is not None:
                return replay(made, chosen.replay)
            return _train(made, arrived)
        except KeyboardInterrupt:
            return _refuse("interrupted", arrived.exit_code)
        except OSError as error:
            if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC):
                raise  # of standard output, which `exit_code` reports
            where = f"{error.filename}: " if error.filename else ""
            return _refuse(f"{where}{error.strerror or error}")
        except (ValueError, TypeError, ImportError) as error:
            return _refuse(f"{error}".removeprefix("fit: "))
        except Exception as error:  # of the model, for example
            return _refuse(described(error), 1)


def _train(made: Plan, arrived: Signals) -> int:
    chosen, folder = made.chosen, made.folder
    screen = Screen(chosen.batch_size, chosen.epochs * made.steps_per_epoch)
    checkpoints = made.checkpoints(screen.line)
    callbacks = [_run_file(made), training.metrics_file(folder / "metrics.jsonl", replace=True)]
    if chosen.tensorboard:
        callbacks.append(training.tensorboard(folder / "tensorboard"))
    if chosen.early_stopping:
        callbacks.append(training.early_stopping(patience=chosen.early_stopping))
    recipe = made.recipe
    with screen, arrived.while_training():
        fitted = training.fit(
            recipe.model,
            recipe.loss,
            recipe.optimizer,
            made.data.train,
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            key=jax.random.key(chosen.seed),
            validation=made.data.validation,
            metrics=recipe.metrics,
            callbacks=[*callbacks, screen.callback],
            every=chosen.every,
            augment=recipe.augment,
            accumulate=chosen.accumulate,
            skip_not_finite=chosen.not_finite == "skip",
            checkpoints=checkpoints,
        )
    return _ended(made, checkpoints, fitted, arrived)


def _ended(made: Plan, checkpoints: training.Checkpoints, fitted: Any, arrived: Signals) -> int:
    """Finish a run that has ended, or print how to continue; the exit code."""
    step, steps = int(fitted.train_state.step), made.chosen.epochs * made.steps_per_epoch
    last = checkpoints.steps()[-1:]
    saved = f"the last checkpoint is {checkpoints.path(last[0])}" if last else "nothing is saved"
    if "checkpoint not saved" in fitted.stopped:  # `fit` has printed the reason
        return 2
    if fitted.stopped == "interrupted":
        if fitted.message:  # the state could not be saved
            return 2
        again = f"{saved}; the same command continues at step {step} of {steps}"
        return _refuse(f"interrupted: {again}", arrived.exit_code)
    if fitted.stopped == "not finite":
        again = f"--replay {step + 1} shows where step {step + 1} goes wrong"
        return _refuse(f"{_in_the_data(made, fitted.message)}{saved}; {again}", 1)
    if "error in " in fitted.stopped:
        file = any(name in fitted.stopped for name in ("metrics_file", "tensorboard"))
        return _refuse(f"{saved}; the same command continues from there", 2 if file else 1)
    if fitted.stopped:
        print(f"stopped at step {step} of {steps}: {fitted.stopped}", flush=True)
    return finish(made)


def _in_the_data(made: Plan, message: str) -> str:
    """The number in the data of the training example that a message names."""
    example = re.search(r"(?:\[|example )(\d+)", message)
    if example is None or made.data.rows is None:
        return ""
    row = made.data.rows[int(example[1])]
    return f"training example {example[1]} is number {row} in {made.chosen.data}; "


def _run_file(made: Plan) -> training.Callback:
    """Callback that writes run.json, once the checkpoints that are there were accepted."""
    init = lambda train_state: _describe(made) or ()
    return training.Callback("run_file", init, after=lambda train_state, own, progress: own)


def _describe(made: Plan) -> None:
    """Write run.json: the command, and where its data are."""
    chosen = made.chosen
    where = Path(chosen.data)
    facts = {
        "command": ["fcnn", "train", *sys.argv[2:]],
        "model": _absolute(chosen.model),
        "data": str(where.resolve()) if where.exists() else chosen.data,
        "data_dir": chosen.data_dir and str(Path(chosen.data_dir).resolve()),
        "keep best": chosen.keep_best,
        "broken": chosen.broken,
        "config": made.config,
    }
    write_whole(made.folder / "run.json", json.dumps(facts, indent=2) + "\n")


def _absolute(model: str) -> str:
    file, colon, rest = model.partition(".py:")
    return f"{Path(f'{file}.py').resolve()}:{rest}" if colon else model


def _refuse(message: str, code: int = 2) -> int:
    print(f"{COMMAND}: {message}", file=sys.stderr, flush=True)
    return code
