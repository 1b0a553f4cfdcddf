"""Overfitting: the dense network with few images, what each remedy buys, and calibration.

The dense network has three hidden layers with relu. The convolutional network has about equally
many parameters. Weight decay, dropout, augmentation, batch norm, early stopping and more data are
added one at a time to the dense network trained on 200 images; the strength of each is chosen on a
fifth of the training images. Runs are paired by seed.

Command: python -m experiments overfitting
"""

from experiments.framework.claim import Claim, Evidence, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.options import Options
from experiments.overfitting.factors import FACTORS, FEW, MORE
from experiments.overfitting.figures import by_factor, by_images, reliability, removed, robustness
from experiments.overfitting.measure import NOISE, SCALE, SHIFT, measure, parts, prepare
from experiments.overfitting.measured import excess, few_gap, lost, percent
from experiments.overfitting.tables import tables

REMEDIES = [name for name in FACTORS if name != "baseline"]
TRUSTED = 2.0  # percentage points
POINTS = "percentage points"


def evidence(m) -> list[Evidence]:
    baseline = m["baseline"]
    scales = m[SCALE]
    right = [*scales["classic"], *scales["inverted"]]
    error = excess(baseline["calibration"])
    return [
        Pairs(few_gap(m["dense by images"]), few_gap(m["conv by images"])),
        *(Pairs(percent(m[name]["test"]), percent(baseline["test"])) for name in REMEDIES),
        Pairs(percent(m["augmentation"]["shifted"]), percent(baseline["shifted"])),
        Pairs(lost(baseline), lost(m["dropout"])),
        Pairs(error, [TRUSTED] * len(error)),
        Share(sum(right), len(right)),
        Share(sum(scales["printed"]), len(scales["printed"])),
    ]


def _improves(name: str) -> Claim:
    text = f"{name[0].upper()}{name[1:]} raises the test accuracy of a network with few images"
    return Claim(text, f"test accuracy, {name} − baseline", unit=POINTS)


EXPERIMENT = Experiment(
    name="overfitting",
    title="Overfitting: few images, six remedies, and calibration",
    description=f"A dense network trained on {FEW} images, with one remedy at a time.",
    chapter="regularization",
    claims=(
        Claim(
            "Dense overfits first when training images are few",
            "train − test accuracy with few images, dense − convolution",
            unit=POINTS,
        ),
        *map(_improves, REMEDIES),
        Claim(
            "Augmentation by shifts raises the accuracy on shifted test images",
            f"accuracy on test images shifted by {SHIFT} pixels, augmentation − baseline",
            unit=POINTS,
        ),
        Claim(
            "A network trained with dropout loses less when half of its units are removed",
            "test accuracy lost, baseline − dropout",
            unit=POINTS,
        ),
        Claim(
            "Softmax outputs are calibrated probabilities",
            f"expected calibration error beyond chance, baseline − {TRUSTED:g}",
            "less",
            unit=POINTS,
        ),
        Claim(
            "Classic dropout evaluates with 1 − p, and inverted dropout without a factor",
            "forms × rates at which evaluation equals the mean over all masks",
            "at least",
            1.0,
        ),
        Claim(
            "The printed factor of classic dropout, p, is right",
            "rates at which p x equals the mean over all masks",
            "at least",
            1.0,
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "by_images": by_images,
        "by_factor": by_factor,
        "robustness": robustness,
        "removed": removed,
        "reliability": reliability,
    },
    summary=lambda config, m: (
        f"A dense network with three hidden layers on {config.dataset}: trained on {FEW} images "
        f"with and without each remedy, and on more images beside a convolutional network with "
        f"equally many parameters; {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "Accuracies are means over seeds, ± one standard deviation. The gap is training accuracy "
        "minus test accuracy. All networks are trained by Adam at the same rate for the same "
        "number of steps; only early stopping trains for a share of them, with its own schedule.",
        f"More data: {MORE} images. Noisy: normal noise with standard deviation {NOISE:g} is added "
        f"to every pixel, which lies between 0 and 1. Shifted: by {SHIFT} pixels, the mean of four "
        "directions.",
        "Calibration error: expected calibration error in 10 bins of confidence. By chance: the "
        "error that as many predictions of a calibrated network have.",
        "Classic dropout multiplies by 1 − p, the probability of keeping a unit, in evaluation. "
        "Some textbooks print p.",
    ],
    data=lambda prepared: repr(prepared.data),
)
