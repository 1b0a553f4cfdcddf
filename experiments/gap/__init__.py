"""Global average pooling against a dense head: parameters, overfitting, any size, and a map.

Two networks are trained on digits at random places of a canvas 2.5 times as wide as a digit:

    gap      convolutions, relu    global average pooling    dense to the classes
    dense    convolutions, relu    flatten                   dense to the classes

With y[i,j,k] the output of the convolutions and W the weights of the head of "gap", the class
activation map of class c is sum_k y[i,j,k] W[k,c]; its mean is the logit without bias.

Command: python -m experiments gap
"""

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.statistics import percent
from experiments.gap.figures import by_canvas, by_gap, canvases
from experiments.gap.measure import LARGE, TRAINED, Config, measure, parts, prepare
from experiments.gap.networks import HEADS
from experiments.gap.tables import overfit, tables


def evidence(m) -> list[Evidence]:
    if missing := [name for name in HEADS if name not in m]:
        return [NotJudged(f"{missing[0]} was not trained")] * 6
    gap, dense = (m[name] for name in HEADS)
    others = [size for size in gap["sizes"] if size != TRAINED]
    same = lambda head, size: head["parameters"][size] == head["parameters"][TRAINED]
    depends = [same(gap, size) and not same(dense, size) for size in others]
    accepted = [gap["accepts"][size] for size in others]
    refused = [not dense["accepts"][size] for size in others]
    seeds = len(gap["test"])
    found = lambda size: Pairs(percent(gap["hits"][size]), percent([gap["cover"][size]] * seeds))
    return [
        Share(sum(depends), len(depends)),
        Share(sum(accepted + refused), 2 * len(others)),
        Pairs(percent(gap["test"]), percent(dense["test"])),
        Pairs(overfit(dense), overfit(gap)),
        found(TRAINED),
        found(LARGE),
    ]


POINTS = "percentage points"
HITS = "test digits whose box has the maximum of the map, minus the box's share of the canvas"
EXPERIMENT = Experiment(
    name="gap",
    title="Global average pooling against a dense head",
    chapter="layers",
    sources="Lin, Chen & Yan 2014, Network in Network; Zhou et al. 2016 (class activation maps)",
    reach="Digits of 8×8 pixels on larger, empty canvases; natural images, clutter and other "
    "sizes of objects are not covered. The maps are compared with a box, not with the "
    "outline of the digit.",
    claims=(
        Claim(
            "The parameters of a dense head depend on the image size; with global average pooling "
            "they do not",
            "canvas sizes other than that of training: equal number with gap, another with dense",
            "at least",
            1.0,
        ),
        Claim(
            "With global average pooling, the same weights take 4 other image sizes; a dense head "
            "takes only the size of training",
            "other canvas size × head: gap accepts it, dense raises an error",
            "at least",
            1.0,
            changed="the text had any image size, and 4 sizes besides that of training are tried",
        ),
        Claim(
            "Global average pooling loses at most 1 point of accuracy to a dense head",
            "test accuracy, gap − dense",
            margin=-1.0,
            unit=POINTS,
        ),
        Claim(
            "Global average pooling overfits less than a dense head",
            "training − test accuracy, dense − gap",
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
        "digit's box. Accuracies and hits are means over seeds ± one standard deviation.",
        "Chance is the box's share of the canvas, the hits of a random point. The centre of the "
        "canvas is covered more often: a map that always pointed at it would hit 38 % of the "
        "digits of 8×8 pixels on the canvas of training, where chance is 16 %, and 10 % on the "
        "one 4 digits wide, where chance is 6 %: (w / (c − w + 1))² for digits of width w on a "
        "canvas of width c.",
        f"Training: adam, epochs: {config.epochs}, batches of 64 images. The learning rate of each "
        "head has the highest accuracy on a tenth of the training images, which are not trained "
        "on.",
    ],
    data=lambda prepared: identity(prepared.train),
)
