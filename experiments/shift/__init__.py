"""Convolution is equivariant to shifts, and pooling nearly invariant; dense networks are neither.

Equivariant: a shift, then the convolution, equals the convolution, then the shift. Invariant: a
shift does not change the features. Four networks of three stages and a dense head are trained on
digits with 2 pixels of background around them:

    dense        D D D      D  dense, relu; about as many parameters as "max pool"
    convolution  C C C      C  conv 3×3, relu
    stride       S S C      S  conv 3×3 with stride 2, relu
    max pool     P P C      P  conv 3×3, relu, max pool 2×2

Command: python -m experiments shift
"""

from math import log2

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.statistics import percent
from experiments.shift.equivariance import DIRECT
from experiments.shift.figures import by_change, by_shift, feature_maps
from experiments.shift.measure import (
    NETWORKS,
    Config,
    measure,
    parts,
    prepare,
)
from experiments.shift.tables import tables

CHANGE = "log2 of the cosine distance of the head's input to itself after a shift of 1 pixel"
UNCHANGED = "unchanged predictions after a shift of 1 pixel"


def evidence(m) -> list[Evidence]:
    exact = [row for name, part in m.items() if name not in NETWORKS for row in part["rows"]]
    direct = [row for row in exact if row["impl"] in DIRECT]
    count = lambda rows, key: Share(sum(r[key] for r in rows), sum(r["cases"] for r in rows))
    found: list[Evidence] = [count(direct, "equal"), count(exact, "rounded")]
    if missing := [name for name in NETWORKS if name not in m]:
        return found + [NotJudged(f"{missing[0]} was not trained")] * 6
    change = {name: [log2(c) for c in m[name]["change"]] for name in NETWORKS}
    unchanged = {name: percent(m[name]["unchanged"]) for name in NETWORKS}
    return [
        *found,
        Pairs(change["dense"], change["max pool"]),
        Pairs(change["dense"], change["stride"]),
        Pairs(change["convolution"], change["max pool"]),
        Pairs(unchanged["max pool"], [LEAST] * len(unchanged["max pool"])),
        Pairs(unchanged["max pool"], unchanged["dense"]),
        Pairs(unchanged["stride"], unchanged["dense"]),
    ]


LEAST = 95.0  # percent of unchanged predictions
DOUBLINGS, POINTS = "doublings", "percentage points"
EXPERIMENT = Experiment(
    name="shift",
    title="Convolution is equivariant to shifts, and pooling nearly invariant",
    chapter="layers",
    sources="LeCun et al. 1998; Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 9",
    reach="Equivariance is checked for all implementations of convolution, four dtypes and "
    "shifts inside the border. The trained networks are small, with shifts of 1 and 2 "
    "pixels of images of 12×12 pixels; a pixel is a large part of such an image.",
    claims=(
        Claim(
            "Convolution by direct sums is exactly equivariant to shifts",
            "implementations × windows × shifts × dtypes with error 0 inside the border, without "
            "winograd and fft",
            "at least",
            1.0,
        ),
        Claim(
            "Convolution by every implementation is equivariant within rounding",
            "cases with an error of at most 100 rounding units of the largest output",
            "at least",
            1.0,
        ),
        Claim(
            "With max pooling, a shift changes features at most half as much as in a dense network",
            f"{CHANGE}, dense − max pool",
            margin=1.0,
            unit=DOUBLINGS,
        ),
        Claim(
            "With stride, a shift changes features at most half as much as in a dense network",
            f"{CHANGE}, dense − stride",
            margin=1.0,
            unit=DOUBLINGS,
        ),
        Claim(
            "Without pooling or stride, a shift changes the features of a convolutional network "
            "more than with max pooling",
            f"{CHANGE}, convolution − max pool",
            unit=DOUBLINGS,
        ),
        Claim(
            "Convolution with max pooling is nearly invariant: 95 % of predictions are unchanged",
            f"{UNCHANGED}, in percent, max pool − {LEAST:g}",
            unit=POINTS,
        ),
        Claim(
            "More predictions are unchanged with max pooling than in a dense network",
            f"{UNCHANGED}, max pool − dense",
            margin=10.0,
            unit=POINTS,
        ),
        Claim(
            "More predictions are unchanged with stride than in a dense network",
            f"{UNCHANGED}, stride − dense",
            margin=10.0,
            unit=POINTS,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"feature_maps": feature_maps, "change": by_change, "accuracy": by_shift},
    summary=lambda config, m: (
        "Every implementation of fcnn.conv on shifted inputs, and networks with and without "
        f"stride and pooling, trained on {config.dataset} with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "Rounding unit: eps of the dtype, times the largest output.",
        "Values of networks are means over shifts down, up, right and left, and over seeds ± one "
        "standard deviation. Features are the input of the head.",
        f"Training: adam, epochs: {config.epochs}, batches of 64 images. The learning rate of each "
        "network has the highest accuracy on a tenth of the training images, which are not trained "
        "on.",
    ],
    data=lambda prepared: identity(prepared.train),
)
