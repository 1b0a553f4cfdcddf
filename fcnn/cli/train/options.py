"""Options of `fcnn train`, and the configuration that results depend on."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from fcnn.cli import compile_cache
from fcnn.data import NAMES

OPTIMIZERS = "sgd momentum nesterov adagrad rmsprop adam adamw lion".split()
SCHEDULES = "constant cosine one_cycle plateau".split()
PRECISIONS = ("float32", "bfloat16", "float16")


def add_options(tool: ArgumentParser) -> None:
    tool.add_argument(
        "model",
        metavar="MODEL",
        help="cnn, mlp, resnet, mobilenet, lstm or transformer, also with options, as in "
        "'cnn(channels=(16, 32), dropout=0.2)'; or FILE.py:FUNCTION, which returns a layer",
    )
    tool.add_argument(
        "data",
        metavar="DATA",
        help=f"{', '.join(NAMES)}, a folder of images with one subfolder per class, or FILE.npz "
        "with the arrays x and y",
    )
    tool.add_argument(
        "--output",
        type=Path,
        metavar="RUN",
        help="folder of this run; a run that is there is continued (default: runs/MODEL-DATA)",
    )
    _data(tool.add_argument_group("data"))
    _training(tool.add_argument_group("training"))
    _checkpoints(tool.add_argument_group("checkpoints"))
    more = tool.add_argument_group("instead of training")
    more.add_argument(
        "--dry-run",
        action="store_true",
        help="print parameters, memory and FLOP per step, and whether it fits, from shapes alone",
    )
    more.add_argument(
        "--replay",
        type=int,
        metavar="STEP",
        help="repeat this step from the checkpoint before it, and print the outputs of each layer",
    )
    compile_cache.add_option(tool)


def _data(group) -> None:
    group.add_argument("--data-dir", metavar="DIR", help="folder of a named data set")
    group.add_argument("--download", action="store_true", help="download a named data set")
    group.add_argument(
        "--size",
        type=_size,
        metavar="H[xW[xC]]",
        help="height, width and channels of the images of a folder, which are scaled and cropped "
        "(default: those of the images if all are equal; 3 channels)",
    )
    group.add_argument(
        "--broken",
        choices=("refuse", "skip"),
        default="refuse",
        help="what to do with image files that cannot be read (default: refuse)",
    )
    group.add_argument(
        "--cache",
        metavar="FOLDER",
        help="folder for decoded images (default: a folder in ~/.cache/fcnn)",
    )
    group.add_argument(
        "--validation",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of the training examples for validation; 0 for none (default: 0.1, unless "
        "the data has a part of its own for it)",
    )
    group.add_argument(
        "--augment",
        nargs="+",
        default=[],
        metavar="NAME",
        help="functions of fcnn.data.augment, as in flip 'shift(2)' 'cutout(8)'",
    )


def _training(group) -> None:
    group.add_argument("--epochs", type=int, default=10, help="(default: 10)")
    group.add_argument("--batch-size", type=int, default=64, metavar="N", help="(default: 64)")
    group.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="(default: adam)")
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="R",
        help="the largest one (default: 0.1 for sgd; 0.03 for momentum, nesterov and adagrad; 3e-4 "
        "for lion; 1e-3 for others)",
    )
    group.add_argument(
        "--schedule", choices=SCHEDULES, default="constant", help="(default: constant)"
    )
    group.add_argument(
        "--warm-up", type=int, metavar="STEPS", help="steps in which the learning rate rises"
    )
    group.add_argument(
        "--weight-decay",
        type=float,
        default=0.0,
        metavar="R",
        help="factor of the weights that is added to the gradient, or with adamw and lion to the "
        "update (default: 0)",
    )
    group.add_argument(
        "--decay-all", action="store_true", help="apply weight decay to biases and norms too"
    )
    group.add_argument("--clip", type=float, metavar="NORM", help="largest norm of the gradient")
    group.add_argument(
        "--label-smoothing",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of each label that is spread over all classes (default: 0)",
    )
    group.add_argument(
        "--accumulate",
        type=int,
        default=1,
        metavar="N",
        help="parts in which a batch is processed, in the memory of one part (default: 1)",
    )
    group.add_argument(
        "--average",
        type=float,
        metavar="DECAY",
        help="test and use a moving average of the weights with this decay, such as 0.999",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="dtype of the computation; float16 has a dynamic loss scale (default: float32)",
    )
    group.add_argument(
        "--not-finite",
        choices=("stop", "skip"),
        default="stop",
        help="what to do with a step whose loss or gradient is not finite (default: stop)",
    )
    group.add_argument(
        "--early-stopping",
        type=int,
        metavar="N",
        help="stop after N validations, one every --every steps, without a lower loss",
    )
    group.add_argument("--seed", type=int, default=0, help="(default: 0)")


def _checkpoints(group) -> None:
    group.add_argument(
        "--every",
        type=int,
        metavar="STEPS",
        help="steps between two reports, validations and checkpoints (default: one epoch)",
    )
    group.add_argument(
        "--keep", type=int, default=2, metavar="N", help="keep the last N checkpoints (default: 2)"
    )
    group.add_argument(
        "--keep-every",
        type=int,
        metavar="STEPS",
        help="keep the checkpoints whose step is a multiple of STEPS for good",
    )
    group.add_argument(
        "--keep-best",
        choices=("loss", "accuracy"),
        help="keep the checkpoint with the best validation loss or accuracy, and test it",
    )
    group.add_argument(
        "--tensorboard", action="store_true", help="write scalars for TensorBoard too"
    )


def _size(text: str) -> tuple[int, int, int]:
    """(h, w, c) of "64", "64x48" or "64x48x1"."""
    try:
        h, *others = [int(side) for side in text.lower().split("x")]
        (w, *rest), (c,) = others or [h], others[1:] or [3]
        if rest[1:] or min(h, w, c) < 1 or c not in (1, 3):
            raise ValueError
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a size; write 64, 64x48 or 64x48x1") from None
    return h, w, c


LEARNING_RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adagrad": 0.03, "lion": 3e-4}
OTHERS = 1e-3


def config_of(chosen: Namespace) -> dict[str, Any]:
    """The options that results depend on, as a flat dict for JSON."""
    rate = chosen.learning_rate
    rate = LEARNING_RATES.get(chosen.optimizer, OTHERS) if rate is None else rate
    return {
        "optimizer": chosen.optimizer,
        "learning rate": rate,
        "schedule": chosen.schedule,
        "warm-up": chosen.warm_up,
        "weight decay": chosen.weight_decay,
        "decay all": chosen.decay_all,
        "clip": chosen.clip,
        "label smoothing": chosen.label_smoothing,
        "accumulate": chosen.accumulate,
        "average": chosen.average,
        "precision": chosen.precision,
        "augment": chosen.augment,
        "early stopping": chosen.early_stopping,
        "validation": chosen.validation,
        "seed": chosen.seed,
    }
