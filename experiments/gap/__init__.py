"""Global average pooling against a dense head: parameters, overfitting, any size, and a map.

Two networks are trained on digits at random places of a canvas 2.5 times as wide as a digit:

    gap      convolutions, relu    global average pooling    dense to the classes
    dense    convolutions, relu    flatten                   dense to the classes

With y[i,j,k] the output of the convolutions and W the weights of the head of "gap", the class
activation map of class c is sum_k y[i,j,k] W[k,c]; its mean is the logit without bias.

Command: python -m experiments gap
"""

from statistics import fmean

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.table import Best, Table
from experiments.gap.figures import by_canvas, by_gap, canvases
from experiments.gap.measure import LARGE, TRAINED, Config, identity, measure, parts, prepare

HEADS = ("gap", "dense")


def evidence(m) -> list[Evidence]:
    if missing := [name for name in HEADS if name not in m]:
        return [NotJudged(f"{missing[0]} was not trained")] * 6
    gap, dense = (m[name] for name in HEADS)
    sizes = gap["sizes"]
    grows = [
        gap["parameters"][s] == gap["parameters"][TRAINED]
        and (s == TRAINED or dense["parameters"][s] != dense["parameters"][TRAINED])
        for s in sizes
    ]
    others = [s for s in sizes if s != TRAINED]
    works = [gap["accepts"][s] for s in others] + [not dense["accepts"][s] for s in others]
    percent = lambda values: [100 * v for v in values]
    hits = lambda s: Pairs(percent(gap["hits"][s]), percent([gap["cover"][s]] * len(gap["test"])))
    return [
        Share(sum(grows), len(grows)),
        Share(sum(works), len(works)),
        Pairs(percent(gap["test"]), percent(dense["test"])),
        Pairs(overfit(dense), overfit(gap)),
        hits(TRAINED),
        hits(LARGE),
    ]


def overfit(found) -> list[float]:
    """Training − test accuracy, in percentage points, by seed."""
    return [100 * (a - b) for a, b in zip(found["train"], found["test"], strict=True)]


def tables(m) -> list[Table]:
    mean = lambda values: f"{100 * fmean(values):.1f}"
    heads = [
        (
            name,
            f"{m[name]['parameters'][TRAINED]:,}",
            f"{m[name]['parameters'][LARGE]:,}",
            f"{m[name]['rate']:g}",
            mean(m[name]["train"]),
            mean(m[name]["test"]),
            f"{fmean(overfit(m[name])):.1f}",
        )
        for name in HEADS
        if name in m
    ]
    parameters = ("parameters", f"parameters for {LARGE} digits")
    accuracy = ("training accuracy, %", "test accuracy, %")
    gap = "training − test accuracy, percentage points"
    head = ("head", *parameters, "learning rate", *accuracy, gap)
    best: dict[str, Best] = {"test accuracy, %": "highest", gap: "lowest"}
    best |= dict.fromkeys(parameters, "lowest")
    found = [Table(head, heads, narrow=True, best=best)] if heads else []
    if "gap" in m:
        r = m["gap"]
        columns = lambda s: map(mean, (r["accuracy"][s], r["hits"][s], [r["cover"][s]]))
        rows = [(f"{size}", *columns(s)) for s, size in r["sizes"].items()]
        head = ("width of the canvas, pixels", "test accuracy, %", "hits, %")
        found.append(Table((*head, "digit's share of the canvas, %"), rows, narrow=True))
    return found


POINTS = "percentage points"
HITS = "test digits whose box has the maximum of the map, minus the box's share of the canvas"
EXPERIMENT = Experiment(
    name="gap",
    title="Global average pooling against a dense head",
    chapter="layers",
    claims=(
        Claim(
            "Parameters of a dense head depend on the canvas, those of global average pooling not",
            "canvas sizes with the same number for gap, and another for dense",
            "at least",
            1.0,
        ),
        Claim(
            "With global average pooling, the same weights take any image size, and a dense head "
            "refuses all sizes but its own",
            "other canvas sizes × heads that behave so",
            "at least",
            1.0,
        ),
        Claim(
            "Global average pooling loses at most 1 point of accuracy to a dense head",
            "test accuracy, gap − dense",
            margin=-1.0,
            unit=POINTS,
        ),
        Claim(
            "Global average pooling overfits less than a dense head",
            "train − test accuracy, dense − gap",
            unit=POINTS,
        ),
        Claim(
            "Class activation maps find the digit on the canvas of training",
            HITS,
            margin=50.0,
            unit=POINTS,
        ),
        Claim(
            "Class activation maps find the digit on a larger canvas, 4 digits wide",
            HITS,
            margin=50.0,
            unit=POINTS,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"maps": canvases, "overfitting": by_gap, "canvas": by_canvas},
    summary=lambda config, m: (
        "Two heads on the same convolutions, trained on digits at random places of a canvas: "
        f"{config.dataset}, {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "A hit: the cell with the maximum of the predicted class's map has its centre in the "
        "digit's box. Accuracies and hits are means over seeds. The learning rate of each head has "
        "the highest accuracy on a tenth of the training images, which are not trained on.",
    ],
    data=identity,
)
