"""Overfitting: the dense network with few images, the gain of each remedy, and calibration.

The dense network has three hidden layers with relu. The convolutional network has about equally
many parameters. Weight decay, dropout, augmentation, batch norm, early stopping and more data are
added one at a time to the dense network trained on 200 images. The strength of each remedy, and the
step of early stopping, are chosen on a fifth of the training images. Runs are paired by seed.

Command: python -m experiments overfitting
"""

from collections.abc import Sequence

from experiments.framework.claim import Claim, Evidence, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.framework.statistics import percent
from experiments.overfitting.evaluation import NOISE, SHIFT
from experiments.overfitting.factors import FACTORS, FEW, MORE, RATE
from experiments.overfitting.figures import by_factor, by_images, reliability, removed, robustness
from experiments.overfitting.measure import (
    CONV,
    DENSE,
    LARGER_SIZES,
    SCALE,
    SIZES,
    measure,
    parts,
    prepare,
)
from experiments.overfitting.measured import excess, few_gap, lost
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
        Pairs(few_gap(m[DENSE]), few_gap(m[CONV])),
        *(Pairs(percent(m[name]["test"]), percent(baseline["test"])) for name in REMEDIES),
        Pairs(percent(m["augmentation"]["shifted"]), percent(baseline["shifted"])),
        Pairs(lost(baseline), lost(m["dropout"])),
        Pairs(error, [TRUSTED] * len(error)),
        Share(sum(right), len(right)),
        Share(sum(scales["printed"]), len(scales["printed"])),
    ]


def _listed(sizes: Sequence[int]) -> str:
    *first, last = (f"{size:,}" for size in sizes)
    return f"{', '.join(first)} and {last}"


def _improves(name: str) -> Claim:
    text = f"{name[0].upper()}{name[1:]} raises the test accuracy of a network with few images"
    return Claim(text, f"test accuracy, {name} − baseline", unit=POINTS)


EXPERIMENT = Experiment(
    name="overfitting",
    title="Overfitting: few images, six remedies, and calibration",
    description=f"A dense network trained on {FEW} images, with one remedy at a time.",
    chapter="regularization",
    sources="Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 7; "
    "Srivastava et al. 2014; Ioffe & Szegedy 2015; "
    "Guo et al. 2017, who find that modern networks are not calibrated",
    reach="One dense network with 200 digits, one remedy at a time, one strength chosen on "
    "validation images; combinations of remedies and larger networks are not covered.",
    claims=(
        Claim(
            "Dense overfits more than convolution with 50 to 400 training images (100 to 10,000 "
            "of other data sets than digits)",
            f"train − test accuracy, mean over {_listed(SIZES)} images (of other data sets "
            f"{_listed(LARGER_SIZES)}), dense − convolution",
            unit=POINTS,
            changed="the text did not state how many images are few, and the measure did not "
            "state their numbers of other data sets",
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
            "Softmax outputs of a network with few images are calibrated probabilities, within "
            f"{TRUSTED:g} percentage points",
            "expected calibration error of the baseline, without that by chance, minus the margin "
            f"of {TRUSTED:g} percentage points",
            "less",
            unit=POINTS,
            changed="the text did not state the margin, and the measure had it as a number without "
            "an explanation",
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
        "Accuracies are means over seeds, ± one standard deviation. All networks are trained by "
        f"Adam at the same learning rate, {RATE:g}, which is tuned for none of them, and for the "
        "same number of steps.",
        "Early stopping keeps, of the baseline's training, the state of each seed with the least "
        "loss on the validation images, which are evaluated every 25 steps. Its strength is the "
        "mean number of steps.",
        f"Few images: {_listed(SIZES)}; of other data sets than digits, {_listed(LARGER_SIZES)}. "
        "The gap with all images is not part of the claim.",
        "The experiment fc_vs_conv has a claim of the same kind, with other training: it also has "
        "800 images of digits, and trains on few images for a quarter of the steps on all images. "
        "Here all numbers of images are trained for equally many steps, in other batches, and a "
        "fifth of the training images is left out for validation. So the verdicts may differ.",
        f"More data: {MORE} images. Noisy: normal noise with standard deviation {NOISE:g} is added "
        f"to every pixel, which lies between 0 and 1. Shifted: by {SHIFT} pixels, the mean of four "
        "directions.",
        "Calibration error: expected calibration error in 10 bins of confidence. By chance: the "
        "error that equally many predictions of a calibrated network have. Outputs count as "
        f"calibrated if the error exceeds that by chance by less than {TRUSTED:g} percentage "
        "points; the value of the claim is the distance to this margin, negative if it is kept.",
        "Classic dropout multiplies by 1 − p, the probability of keeping a unit, in evaluation. "
        "Some textbooks print p.",
    ],
    data=lambda prepared: identity(prepared.data.train),
)
