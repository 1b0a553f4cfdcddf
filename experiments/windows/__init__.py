"""Windows of a convolution: the size of its output, its border, its 4×4 example, its size.

Along an axis of H cells, with window K, stride S, padding P at both ends and dilation D,

    output size = floor((H + 2 P - D (K - 1) - 1) / S) + 1

Networks for digits have about equal numbers of parameters, and end in global average pooling:

    border    C C C      C  conv 3×3, relu, with zero, reflected, wrapped or no ("valid") padding
    window    C W        W  conv 3×3, 5×5 or 7×7, relu; or two of 3×3, each with relu

Command: python -m experiments windows
"""

from collections.abc import Sequence
from math import log2

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.statistics import percent
from experiments.windows.figures import by_window, example, maps
from experiments.windows.measure import (
    EXAMPLE,
    SIZES,
    Config,
    measure,
    parts,
    prepare,
)
from experiments.windows.sliding import sections
from experiments.windows.tables import tables

TWO, ONE = "two of 3×3", "5×5"


def evidence(m) -> list[Evidence]:
    return [
        *(
            Share(m[SIZES][key], m[SIZES]["cases"]) if SIZES in m else _missing(SIZES)
            for key in ("formula", "loops")
        ),
        Share(m[EXAMPLE]["equal"], m[EXAMPLE]["cells"]) if EXAMPLE in m else _missing(EXAMPLE),
        _pairs(m, "border", "reflect", "zeros", _doublings),
        _pairs(m, "border", "wrap", "zeros", _doublings),
        _pairs(m, "test", "zeros", "valid", percent),
        _pairs(m, "test", TWO, ONE, percent),
    ]


def _pairs(m, key, a, b, unit) -> Evidence:
    if missing := [name for name in (a, b) if name not in m]:
        return _missing(missing[0])
    return Pairs(unit(m[a][key]), unit(m[b][key]))


def _missing(name) -> NotJudged:
    return NotJudged(f"{name} was not measured")


def _doublings(ratios: Sequence[float]) -> list[float]:
    return [log2(ratio) for ratio in ratios]


CASES = "heights, widths, windows, strides, paddings, dilations × conv, max_pool and avg_pool"
BORDER = "log2 of the RMS of activations at the border, relative to the centre"
EXPERIMENT = Experiment(
    name="windows",
    title="Windows of a convolution: output size, border, and size of the window",
    chapter="layers",
    sources="Dumoulin & Visin 2016 (output sizes); Simonyan & Zisserman 2015 (two layers of 3×3)",
    reach="The sizes are all of a grid of small ones, and the 4×4 example is one example. The "
    "networks are small, end in global average pooling, and see images of 12×12 pixels, "
    "of which the border is a large part; larger images are not covered.",
    claims=(
        Claim(
            "The formula gives the output size of every convolution and pooling",
            CASES,
            "at least",
            1.0,
        ),
        Claim("A loop over window positions counts the output size", CASES, "at least", 1.0),
        Claim(
            "The 4×4 example is the same by hand, by loops, by im2col and by conv",
            "cells without and with padding 1 that are exactly equal to those by hand",
            "at least",
            1.0,
        ),
        Claim(
            "Zero padding weakens activations at the border more than reflected padding",
            f"{BORDER}, reflect − zeros",
            unit="doublings",
        ),
        Claim(
            "Zero padding weakens activations at the border more than wrapped padding",
            f"{BORDER}, wrap − zeros",
            unit="doublings",
        ),
        Claim(
            "Zero padding has a higher accuracy than no padding, which loses the border",
            "test accuracy, zeros − valid",
            unit="percentage points",
        ),
        Claim(
            "Two layers of 3×3 reach at least the accuracy of one of 5×5, at equal parameters",
            f"test accuracy, {TWO} − {ONE}",
            margin=-0.5,
            unit="percentage points",
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"example": example, "border": maps, "accuracy": by_window},
    sections=sections,
    summary=lambda config, m: (
        "Output sizes of every window up to a size, and networks with several paddings and "
        f"windows, trained on {config.dataset} with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "A case is correct if it gives the height and the width that fcnn returns, or a number "
        "below 1 where fcnn raises an error because no window fits.",
        "border / centre: root mean square of the last convolution's output in the outermost "
        "cells, relative to the same in all other cells; a dash where there are no other cells. "
        "Accuracies are means over seeds ± one standard deviation.",
        f"Training: adam, epochs: {config.epochs}, batches of 64 images. The learning rate of "
        "each network has the highest accuracy on a tenth of the training images, which are not "
        "trained on.",
    ],
    data=lambda prepared: identity(prepared.train),
)
