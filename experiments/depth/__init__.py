"""Depth, width and shape: accuracy of plain and residual networks of 1 to 152 dense layers.

    plain, residual    depth d, 32 units in each layer, batch norm (`networks` has the blocks)
    width              dense w, relu, dense        w from 2 to 1,024 units
    shape              four hidden layers: 512-256-128-64, constant and growing, equal parameters

Command: python -m experiments depth
"""

from experiments.depth.evidence import evidence
from experiments.depth.figures import learning, shape, test_by_depth, training_by_depth, width
from experiments.depth.measure import (
    DEEP,
    DEPTHS,
    MIDDLE,
    NARROW,
    RATES,
    SHALLOW,
    WIDE,
    WIDTHS,
    measure,
    parts,
    prepare,
)
from experiments.depth.networks import UNITS
from experiments.depth.tables import tables
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options

POINTS = "percentage points"
TRAINED = "each at its best rate on validation"
RATES_UNSTATED = "the measure did not state the learning rates"
EXPERIMENT = Experiment(
    name="depth",
    title="Depth, width and shape of networks",
    description="Plain and residual networks of 1 to 152 layers, too narrow and too wide ones.",
    chapter="depth",
    sources="He et al. 2016 (residual networks); Glorot & Bengio 2010; "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 5 and 6; Masters 1993 (the "
    "pyramid rule); Bengio 2012, Practical recommendations (equal widths)",
    claims=(
        Claim(
            f"A plain network of {DEEP} layers with batch norm has a training accuracy more than 2 "
            f"points below that of one of {SHALLOW}",
            f"training accuracy of plain networks, {SHALLOW} − {DEEP} layers, {TRAINED}",
            margin=2.0,
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            f"A residual network of {DEEP} layers with batch norm has a training accuracy at most "
            f"2 points below that of one of {SHALLOW}",
            f"training accuracy of residual networks, {DEEP} − {SHALLOW} layers, {TRAINED}",
            margin=-2.0,
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            f"At {DEEP} layers a residual network has a test accuracy more than 2 points above "
            "that of a plain one",
            f"test accuracy at {DEEP} layers, residual − plain, {TRAINED}",
            margin=2.0,
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            "Deeper is not always better: at its best depth, a plain network has a test accuracy "
            f"more than 1 point above that of {DEEP} layers",
            "test accuracy of plain networks, at the depth with the highest validation accuracy − "
            f"at {DEEP} layers, {TRAINED}",
            margin=1.0,
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            f"A hidden layer that is too narrow, of {NARROW} units, loses more than 10 points of "
            f"test accuracy to one of {MIDDLE}",
            f"test accuracy, {MIDDLE} − {NARROW} units, {TRAINED}",
            margin=10.0,
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            f"A hidden layer that is too wide, of {WIDE:,} units, overfits: its test accuracy is "
            f"below that of {MIDDLE} units",
            f"test accuracy, {MIDDLE} − {WIDE:,} units, {TRAINED}",
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            "At equal parameters, layers that shrink from 512 to 64 units have a higher test "
            "accuracy than layers of constant width",
            f"test accuracy, funnel − constant, {TRAINED}",
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            "At equal parameters, layers that shrink from 512 to 64 units have a higher test "
            "accuracy than layers that grow",
            f"test accuracy, funnel − growing, {TRAINED}",
            unit=POINTS,
            changed=RATES_UNSTATED,
        ),
        Claim(
            f"Greater depth generalizes better: a residual network of {SHALLOW} layers has a "
            "higher test accuracy than one of 2",
            f"test accuracy of residual networks, {SHALLOW} − 2 layers, {TRAINED}",
            unit=POINTS,
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "training": training_by_depth,
        "test": test_by_depth,
        "learning": learning,
        "width": width,
        "shape": shape,
    },
    summary=lambda config, m: (
        f"Dense networks of {DEPTHS[0]} to {DEPTHS[-1]} layers, of {WIDTHS[0]} to {WIDTHS[-1]:,} "
        f"units and of three shapes, trained on {config.dataset}. Seeds: {config.seeds}."
    ),
    notes=lambda config: [
        "Depth is the number of dense layers, the last one included. Networks by depth have "
        f"{UNITS} units in each layer, and batch norm after each dense layer but the last, as in "
        "He et al. Plain and residual networks have equal parameters and differ in the shortcut of "
        "each block of two layers. Depths 1 and 2 have no block: both kinds are the same network.",
        "Networks by width have one hidden layer, networks by shape four, with relu and without "
        "batch norm. Constant and growing widths are those whose number of parameters is nearest "
        "to that of the funnel; the widths of growing layers double.",
        "He's initialization, and LeCun's of the last layer. Adam, batches of 64 images, epochs: "
        f"{config.epochs}. The learning rate of each network, of "
        f"{', '.join(f'{rate:g}' for rate in RATES)}, has the highest accuracy on a tenth of the "
        "training images, which are not trained on. It falls to 0 along a cosine.",
        "Accuracies are means over seeds ± one standard deviation, after training. Training "
        "accuracy uses the running statistics of batch norm, as test accuracy does.",
    ],
    reach="Dense networks on small images, trained by default for 25 epochs of digits or 3 of "
    "larger data sets: convolutional networks, longer training and deep plain networks without "
    "batch norm are not covered.",
    data=lambda prepared: identity(prepared.train),
)
