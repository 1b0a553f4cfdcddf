"""Pooling: maximum, mean, the Lp norms between them, and stride in place of pooling.

The mean form of Lp pooling over a window of n cells is (sum_i |x_i|^p / n)^(1/p): for p = 1 the
mean of |x|, for p = infinity its maximum. Five networks with equal numbers of parameters are
trained on digits with 2 pixels of background around them:

    max, mean, L2, L4    C P C P C dense     C  conv 3×3, relu    P  pooling 2×2 of that kind
    stride               S S C dense         S  conv 3×3 with stride 2, relu

Command: python -m experiments pooling
"""

from math import log2

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.statistics import percent
from experiments.pooling.figures import by_p, by_shift, example
from experiments.pooling.measure import (
    BATCH,
    NETWORKS,
    NORMS,
    TIMES,
    Config,
    measure,
    parts,
    prepare,
)
from experiments.pooling.tables import gap, lost, tables


def evidence(m) -> list[Evidence]:
    keys = ("ends", "rises", "limit")
    exact: list[Evidence] = [NotJudged(f"{NORMS} were not measured")] * len(keys)
    if NORMS in m:
        exact = [Share(*m[NORMS][key]) for key in keys]
    if missing := [name for name in (*NETWORKS, TIMES) if name not in m]:
        return [*exact, *[NotJudged(f"{missing[0]} was not measured")] * 6]
    test = {name: percent(m[name]["test"]) for name in NETWORKS}
    times = {name: [log2(t) for t in m[TIMES][name]] for name in NETWORKS}
    return [
        *exact,
        Pairs(lost(m, "stride"), lost(m, "max")),
        Pairs(lost(m, "stride"), lost(m, "mean")),
        Pairs(test["max"], test["mean"]),
        Pairs(test["max"], test["stride"]),
        Pairs(gap(m, "stride"), gap(m, "max")),
        Pairs(times["max"], times["stride"]),
    ]


POINTS = "percentage points"
QUANTITY = "the text did not name the quantity"
LOST = "accuracy lost when test images are shifted by 1 pixel"
EXPERIMENT = Experiment(
    name="pooling",
    title="Max, mean and Lp pooling, and stride in place of pooling",
    chapter="layers",
    sources="Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 9; "
    "Scherer, Müller & Behnke 2010 (max pooling); Springenberg et al. 2015 (stride)",
    reach="The exact statements hold for the Lp norms of any window. The networks are small, "
    "with three convolutions on images of 12×12 pixels, trained without augmentation; "
    "times are those of one CPU.",
    claims=(
        Claim(
            "Lp pooling in its mean form is the mean of |x| for p = 1, and its maximum for p = ∞",
            "windows with both, within 1e-6 of the maximum",
            "at least",
            1.0,
        ),
        Claim(
            "Lp pooling in its mean form rises with p, from the mean to the maximum",
            "windows × neighbouring p that do not fall, within 1e-6 of the maximum",
            "at least",
            1.0,
        ),
        Claim(
            "Lp pooling in its mean form approaches the maximum",
            "windows of n cells in which p = 100 gives at least n^(-1/100) of the maximum",
            "at least",
            1.0,
        ),
        Claim(
            "Max pooling is more robust to small shifts than stride",
            f"{LOST}, stride − max",
            unit=POINTS,
        ),
        Claim(
            "Mean pooling is more robust to small shifts than stride",
            f"{LOST}, stride − mean",
            unit=POINTS,
        ),
        Claim(
            "Max pooling has a higher test accuracy than mean pooling",
            "test accuracy, max − mean",
            unit=POINTS,
            changed=QUANTITY,
        ),
        Claim(
            "Max pooling has a higher test accuracy than stride",
            "test accuracy, max − stride",
            unit=POINTS,
            changed=QUANTITY,
        ),
        Claim(
            "Max pooling overfits less than stride",
            "training − test accuracy, stride − max",
            unit=POINTS,
        ),
        Claim(
            "A training step with stride takes at most half the time of one with max pooling",
            "log2 of seconds, by interleaved round in one process, max − stride",
            margin=1.0,
            unit="doublings",
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"example": example, "norms": by_p, "shift": by_shift},
    summary=lambda config, m: (
        "Lp pooling of random windows, and networks with five ways to reduce the size of feature "
        f"maps, trained on {config.dataset} with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "Multiply-adds are those of one image, without those of pooling. A step trains one seed on "
        f"{BATCH} images; its time is the median of interleaved rounds in one process.",
        "Accuracies are means over seeds ± one standard deviation. Accuracy lost: the mean over "
        "shifts down, up, right and left. No network was trained on shifted images.",
        f"Training: adam, epochs: {config.epochs}, batches of {BATCH} images. The learning rate of "
        "each network has the highest accuracy on a tenth of the training images, which are not "
        "trained on.",
    ],
    data=lambda prepared: identity(prepared.train),
)
