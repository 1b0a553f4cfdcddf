"""Windows of a convolution: the size of its output, its border, its 4×4 example, its size.

Along an axis of H cells, with window K, stride S, padding P at both ends and dilation D,

    output size = floor((H + 2 P - D (K - 1) - 1) / S) + 1

Networks for digits have about equal numbers of parameters, and end in global average pooling:

    border    C C C      C  conv 3×3, relu, with zero, reflected, wrapped or no ("valid") padding
    window    C W        W  conv 3×3, 5×5 or 7×7, relu; or two of 3×3, each with relu

Command: python -m experiments windows
"""

from math import log2
from statistics import fmean

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.table import Best, Table
from experiments.windows.figures import by_window, example, maps
from experiments.windows.measure import (
    BORDERS,
    EXAMPLE,
    SIZES,
    WINDOWS,
    Config,
    identity,
    measure,
    parts,
    prepare,
)

FORMULAS = {
    "formula": "floor((H + 2P − D(K − 1) − 1) / S) + 1",
    "loops": "count of window positions by a loop",
    "height from W": "height from W, as some books print",
    "without floor": "without floor",
    "without dilation": "floor((H + 2P − K) / S) + 1, for any D",
}
TWO, ONE = "two of 3×3", "5×5"


def evidence(m) -> list[Evidence]:
    return [
        *(
            Share(m[SIZES][key], m[SIZES]["cases"]) if SIZES in m else _missing(SIZES)
            for key in ("formula", "loops")
        ),
        Share(m[EXAMPLE]["equal"], m[EXAMPLE]["cells"]) if EXAMPLE in m else _missing(EXAMPLE),
        _pairs(m, "border", "reflect", "zeros", log2),
        _pairs(m, "border", "wrap", "zeros", log2),
        _pairs(m, "test", "zeros", "valid", _percent),
        _pairs(m, "test", TWO, ONE, _percent),
    ]


def _share(m, part, count, of) -> Evidence:
    return Share(m[part][count], m[part][of]) if part in m else _missing(part)


def _pairs(m, key, a, b, unit) -> Evidence:
    if missing := [name for name in (a, b) if name not in m]:
        return _missing(missing[0])
    return Pairs([unit(v) for v in m[a][key]], [unit(v) for v in m[b][key]])


def _missing(name) -> NotJudged:
    return NotJudged(f"{name} was not measured")


def _percent(share: float) -> float:
    return 100 * share


def tables(m) -> list[Table]:
    found = []
    if SIZES in m:
        counts = [m[SIZES][key] for key in FORMULAS]
        rows = [
            (text, f"{right:,}", f"{m[SIZES]['cases'] - right:,}")
            for text, right in zip(FORMULAS.values(), counts, strict=True)
        ]
        found.append(Table(("output size", "right, cases", "wrong, cases"), rows))
    if EXAMPLE in m:
        rows = [(name, *map(_matrix, found)) for name, found in m[EXAMPLE]["outputs"].items()]
        found.append(Table(("4×4 example", "no padding", "padding 1"), rows))
    mean = lambda values: f"{100 * fmean(values):.1f}"
    rows = [
        (
            name,
            f"{m[name]['parameters']:,}",
            f"{m[name]['multiply_adds']:,}",
            f"{m[name]['rate']:g}",
            mean(m[name]["train"]),
            mean(m[name]["test"]),
            f"{fmean(m[name]['border']):.2f}" if name in BORDERS else "",
        )
        for name in (*BORDERS, *WINDOWS)
        if name in m
    ]
    head = ("network", "parameters", "multiply-adds", "learning rate")
    measured = ("training accuracy, %", "test accuracy, %", "border / centre")
    best: dict[str, Best] = {"test accuracy, %": "highest"}
    return [*found, Table((*head, *measured), rows, narrow=True, best=best)]


def _matrix(rows) -> str:
    return "; ".join(" ".join(f"{v:g}" for v in row) for row in rows)


CASES = "heights, widths, windows, strides, paddings, dilations × conv, max_pool and avg_pool"
BORDER = "log2 of the RMS of activations at the border, relative to the centre"
EXPERIMENT = Experiment(
    name="windows",
    title="Windows of a convolution: output size, border, and size of the window",
    chapter="layers",
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
            "Zero padding weakens activations at the border, and reflected padding does not",
            f"{BORDER}, reflect − zeros",
            unit="doublings",
        ),
        Claim(
            "Zero padding weakens activations at the border, and wrapped padding does not",
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
            f"test accuracy, {TWO} − {ONE}, not worse by 0.5 points",
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
    summary=lambda config, m: (
        "Output sizes of every window up to a size, and networks with several paddings and "
        f"windows, trained on {config.dataset} with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "A case is right if it gives the height and the width that fcnn returns, or a number below "
        "1 where fcnn refuses because no window fits.",
        "border / centre: root mean square of the last convolution's output in the outermost "
        "cells, relative to the same in all other cells. Accuracies are means over seeds.",
        "The learning rate of each network has the highest accuracy on a tenth of the training "
        "images, which are not trained on.",
    ],
    data=identity,
)
