"""Optimizers: SGD, momentum, Nesterov, AdaGrad, RMSProp and Adam.

Each method goes from 16 starts through the valley x² / 20 + y² of a textbook, and trains three
tiny networks on images: an MLP of two hidden layers, a CNN of two convolutions, and an LSTM that
reads an image row by row. Every method is trained at the same 13 learning rates, and its best one
is chosen on a fifth of the training images.

Command: python -m experiments optimizers
"""

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.optimizers.effective import ROUNDING
from experiments.optimizers.evidence import BEHIND, DOUBLINGS, evidence
from experiments.optimizers.figures import FIGURES
from experiments.optimizers.growing import sections
from experiments.optimizers.measure import RATES, TARGET, WINDOW, measure, parts, prepare
from experiments.optimizers.networks import NETWORKS
from experiments.optimizers.tables import tables
from experiments.optimizers.valley import STEPS

POINTS = "percentage points"
FEWER = f"log2 of steps to a training loss of {TARGET:g} nats, each at its most accurate rate"
FACTOR = "the sources state no factor"
MEAN = "mean over the three networks"

EXPERIMENT = Experiment(
    name="optimizers",
    title="Optimizers: paths, speed of learning, and sensitivity to the rate",
    description="SGD, momentum, Nesterov, AdaGrad, RMSProp and Adam, on a valley and on digits.",
    chapter="training",
    sources="Saitoh 2016, Deep Learning from Scratch, chapter 6; Goodfellow, Bengio & Courville "
    "2016, Deep Learning, chapter 8; Ruder 2016; Polyak 1964 (momentum); Sutskever et al. 2013 "
    "(Nesterov); Duchi, Hazan & Singer 2011 (AdaGrad); Tieleman & Hinton 2012 (RMSProp); Kingma & "
    "Ba 2015 (Adam); Schaul, Antonoglou & Silver 2014 (comparison)",
    claims=(
        Claim(
            "On x²/20 + y² momentum, AdaGrad and Adam cross the valley less often than SGD",
            f"starts × rates × the three methods: y changes its sign in fewer of {STEPS} steps "
            "than with SGD, however small the swing is",
            "at least",
            1.0,
            changed="zigzag has no one measure: from y = 1, AdaGrad's first step, as long as the "
            "rate, crosses the valley, and ever smaller swings follow",
        ),
        Claim(
            "The effective step of AdaGrad never grows at a constant learning rate",
            "parameters × steps with a gradient, of the MLP: |update| / |gradient| at most that of "
            f"the parameter's step before, to a relative {ROUNDING:g}",
            "at least",
            1.0,
        ),
        *(
            Claim(
                f"Adam reaches a training loss in fewer steps than SGD: {network}",
                f"{FEWER}, SGD − Adam, {network}",
                unit=DOUBLINGS,
                changed=FACTOR,
            )
            for network in NETWORKS
        ),
        Claim(
            "Momentum reaches a training loss in fewer steps than SGD, in the mean over networks",
            f"{FEWER}, SGD − momentum, {MEAN}",
            unit=DOUBLINGS,
            changed=FACTOR,
        ),
        Claim(
            "Nesterov reaches a training loss in fewer steps than momentum, in the mean over "
            "networks",
            f"{FEWER}, momentum − Nesterov, {MEAN}",
            unit=DOUBLINGS,
            changed="the measure did not state by what a rate is best",
        ),
        Claim(
            "Adam is less sensitive to the learning rate than SGD",
            "validation accuracy at the best rate − that at a quarter and at four times of it "
            f"(mean of both), SGD − Adam, {MEAN}",
            unit=POINTS,
        ),
        Claim(
            "No method is best everywhere: the one that is best on average is more than "
            f"{BEHIND:g} {POINTS} below the best one on some network",
            "test accuracy, the best method of a network − the one that is best on average, on the "
            "network where they differ most; all chosen by validation accuracy; exactly 0 if one "
            "method is chosen for all networks",
            margin=BEHIND,
            unit=POINTS,
            changed="the best method was found on test images, and noise counted as a difference",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures=FIGURES,
    sections=sections,
    summary=lambda config, m: (
        f"Six methods on a valley of two dimensions, and on three tiny networks that are trained "
        f"on four fifths of the training images of {config.dataset}. Epochs: {config.epochs}; "
        f"seeds: {config.seeds}."
    ),
    reach="Three networks of 1,900 to 3,500 parameters on digits, small images, batches of 64 and "
    "one budget of epochs. Large networks, sparse gradients, weight decay and other momenta are "
    "not covered. The zigzag is about rates of 0.7 to 1 times those of textbooks, at which SGD "
    "crosses the valley at each step.",
    notes=lambda config: [
        f"Rates: the {len(RATES)} powers of 2 from 1/1024 to 4 for every method; the rate falls "
        "to 0 along a cosine. The best rate has the highest mean accuracy on the validation "
        "images, the fifth without training.",
        "Effective steps: the first steps of all seeds, shown in their figure, at a constant rate, "
        "in batches of 64 images. AdaGrad starts with h = 0.",
        f"Steps: until the mean loss of {WINDOW} batches is at most {TARGET:g} nats, at the best "
        "rate. A method that does not reach it counts with all its steps, a lower bound (≥).",
        "Accuracy lost: validation accuracy at the best rate − the mean of that at a quarter and "
        "at four times of it. Where training diverges with any seed, the accuracy of all seeds "
        "is that of chance.",
        "On the valley: a change of the sign of y counts however small the swing is. It does not "
        "depend on the start's x, with any method, so that each case is counted four times; those "
        "of SGD, momentum and Nesterov, which are linear, do not depend on y either. The rates "
        "are 0.7, 0.8, 0.9 and 1 times those of the textbook; Nesterov has that of momentum, and "
        "RMSProp that of Adam. The share of the path across is |Δy| / (|Δx| + |Δy|).",
    ],
    data=lambda data: identity(data.train),
)
