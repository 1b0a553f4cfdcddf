"""Training with every number of images and with every factor, then evaluation."""

from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from experiments.framework.experiment import Log, Part
from experiments.framework.images import framed, loaded, smaller
from experiments.framework.options import Options, with_epochs
from experiments.framework.trained import Trials
from experiments.overfitting.calibration import calibration
from experiments.overfitting.dropout_scale import correct_scales
from experiments.overfitting.early_stopping import stopped_early
from experiments.overfitting.evaluation import SHIFT, accuracies, evaluated
from experiments.overfitting.factors import (
    FACTORS,
    FEW,
    RATE,
    Factor,
    dense_network,
    networks,
)
from fcnn.data import Dataset, Images, split

SCALE = "scale of dropout"
DENSE, CONV = "dense by images", "conv by images"
SIZES, LARGER_SIZES = (50, 100, 200, 400), (100, 1000, 10000)  # few images: of digits, of others
BATCH = 50
SMOKE = ("baseline", "early stopping")  # one program


class Prepared(NamedTuple):
    """Images with a frame of background where shifts would cut off the digit."""

    data: Dataset
    train: Images
    validation: Images


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=3)
    data, frame = loaded(config), SHIFT if config.dataset == "digits" else 0
    data = smaller(data, train=2 * FEW) if config.smoke else data
    data = data._replace(train=framed(data.train, frame), test=framed(data.test, frame))
    return config, Prepared(data, *split(data.train, 0.2))


def parts(config: Options, prepared: Prepared) -> list[Part]:
    chosen = {name: FACTORS[name] for name in SMOKE} if config.smoke else FACTORS
    factors = [Part(name, factor, len(factor.strengths)) for name, factor in chosen.items()]
    by_images = [Part(DENSE, cost=3), Part(CONV, cost=30)]
    return [Part(SCALE, cost=0.1), *factors, *([] if config.smoke else by_images)]


def measure(
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Networks without a factor share one compiled program."""
    train, classes = prepared.train, len(prepared.data.classes)
    hidden, conv = networks(train.x.shape[1:], classes)
    trials = partial(Trials, images=train, seeds=config.seeds or 0, log=log, margin=SHIFT)
    plain = cache(lambda: trials(dense_network(hidden, classes), label="dense"))

    def with_factor(name: str, factor: Factor, strength: float) -> Trials:
        network, training = factor.network(strength), factor.training(strength)
        if not network and not training:
            return plain()
        model = dense_network(hidden, classes, **network)
        return trials(model, label=f"{name} {strength:g}", **training)

    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == SCALE:
            yield part.name, correct_scales()
        elif part.name in FACTORS:
            of = partial(with_factor, part.name, part.payload)
            yield part.name, by_strength(config, prepared, part.payload, of)
        else:
            net = plain() if part.name == DENSE else trials(conv, label="conv")
            yield part.name, by_images(config, prepared, net)


def by_strength(
    config: Options, prepared: Prepared, factor: Factor, trials: Callable[[float], Trials]
) -> dict[str, Any]:
    """Results with the strength that has the best validation accuracy, the mean over seeds."""
    options = schedule(config, len(prepared.train.y), factor.images)
    strengths = factor.strengths[:1] if config.smoke else factor.strengths
    if factor.stopped:
        runs = {s: stopped_early(trials(s), prepared.validation, **options) for s in strengths}
    else:
        runs = {s: trials(s).train(**options) for s in strengths}
    validation = {s: float(run.accuracy(prepared.validation).mean()) for s, run in runs.items()}
    best = max(validation, key=validation.__getitem__)
    return {
        "dataset": prepared.data.name,
        "strengths": list(strengths),
        "validation": list(validation.values()),
        "best": best,
        "steps": runs[best].train_state.step.tolist(),
        **evaluated(runs[best], prepared.data.test),
    }


def by_images(config: Options, prepared: Prepared, trials: Trials) -> dict[str, Any]:
    """Accuracies by number of training images, the last of which is all of them."""
    n, test = len(prepared.train.y), prepared.data.test
    few = SIZES if prepared.data.name == "digits" else LARGER_SIZES
    runs = {size: trials.train(**schedule(config, n, size)) for size in (*few, n)}
    each = [accuracies(run, test) for run in runs.values()]
    last = calibration(runs[n].outputs(test.x), test.y)
    return {"images": list(runs), "accuracies": each, "calibration": last}


def schedule(config: Options, n: int, images: int) -> dict[str, Any]:
    """Options of `Trials.train`: on few images, as many steps as passes over all `n` take."""
    steps = (config.epochs or 0) * (n // BATCH)
    epochs = max(1, round(steps / (images // BATCH)))
    return {"epochs": epochs, "rate": RATE, "batch_size": BATCH, "subset": images}
