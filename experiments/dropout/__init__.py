"""Dropout: its two forms, the gap by dropout rate, slower training, weight decay, and averaging.

A dense network with three hidden layers of 128 units is trained on 200 images with six dropout
rates, and with three of them with weight decay. Trained networks are evaluated with many masks.

Command: python -m experiments dropout
"""

from experiments.dropout.equivalence import CLOSE, DROPPED as EQUIVALENT, STEPS as EQUAL_STEPS
from experiments.dropout.evidence import MARGIN, MODERATE, TWICE, USUAL, evidence
from experiments.dropout.figures import agreement, averages, by_rate, learning, with_decay
from experiments.dropout.masks import AVERAGED, ERRORS, IMAGES, MASKS
from experiments.dropout.measure import DECAYS, DROPPED, FEW, MASKED, MOST, measure, parts, prepare
from experiments.dropout.picture import thinned
from experiments.dropout.speed import EVERY, TARGET
from experiments.dropout.tables import tables
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options

POINTS = "percentage points"
RATED = "each at its best learning rate"
LISTED = " and ".join(f"{p:g}" for p in MASKED)

EXPERIMENT = Experiment(
    name="dropout",
    title="Dropout: forms, rates, weight decay and averaging",
    description="Classic and inverted dropout, the gap by rate, and masks in evaluation.",
    chapter="regularization",
    sources="Hinton et al. 2012; Srivastava et al. 2014; Goodfellow, Bengio & Courville 2016, Deep "
    "Learning, chapter 7.12; Saitoh 2016, Deep Learning from Scratch, chapter 6.4",
    claims=(
        Claim(
            "For a linear layer, evaluation with classic and with inverted dropout is the mean "
            "over random masks",
            f"outputs of the last layer, both forms, dropout rates {LISTED}, at which the mean "
            f"over {MASKS:,} masks is within {ERRORS:g} standard errors of evaluation",
            "at least",
            1.0,
        ),
        Claim(
            "For layers with relu, evaluation is a worse approximation of the mean over random "
            "masks than for a linear layer",
            f"root mean square of mean over {MASKS:,} masks − evaluation, without that of the "
            "standard errors, relative to that of evaluation, dropout rate "
            f"{USUAL:g}, masks in all layers − in the last layer",
            unit="percent",
            changed="the difference had the random error of a mean over masks in it",
        ),
        Claim(
            "Classic dropout is equivalent to inverted dropout, with appropriate scaling of "
            "initial weights and learning rates",
            f"networks (dropout rates {' and '.join(f'{p:g}' for p in EQUIVALENT)} × seeds) that "
            f"both forms train with the same masks to the same test outputs, within {CLOSE:g} of "
            "the largest one",
            "at least",
            1.0,
        ),
        Claim(
            f"With a higher dropout rate, from {DROPPED[0]:g} to {DROPPED[-1]:g}, the gap between "
            "training and test accuracy is smaller",
            "slope of training − test accuracy over the dropout rates, by least squares, per 0.1, "
            f"{RATED}",
            "less",
            unit=POINTS,
        ),
        Claim(
            "At a moderate dropout rate the test accuracy is higher than without dropout",
            f"test accuracy, {RATED}, the dropout rate of "
            f"{', '.join(f'{p:g}' for p in MODERATE)} with the best validation accuracy − without "
            "dropout",
            unit=POINTS,
        ),
        Claim(
            "With dropout training takes more than twice the steps",
            f"log2 of steps to a loss of {TARGET:g} nats on the training images without masks, "
            "each at the learning rate with the fewest, dropout rate "
            f"{USUAL:g} − without dropout",
            margin=TWICE,
            unit="doublings",
            changed="the loss was that with masks, which dropout itself makes higher, at the rates "
            "of the best accuracy",
        ),
        Claim(
            "Dropout with weight decay has a higher test accuracy than the better of the two alone",
            f"test accuracy, {RATED}, both − the one with the better validation accuracy",
            unit=POINTS,
        ),
        Claim(
            "Evaluation without masks has the accuracy of the average of many networks, within "
            f"{MARGIN:g} percentage point",
            f"|test accuracy of the mean softmax output over {AVERAGED[-1]} masks − that of "
            f"evaluation without masks|, dropout rate {USUAL:g}, minus {MARGIN:g} percentage point",
            "less",
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
        "thinned": thinned,
        "agreement": agreement,
        "rates": by_rate,
        "learning": learning,
        "decay": with_decay,
        "averages": averages,
    },
    summary=lambda config, m: (
        f"A dense network trained on {FEW} images of {config.dataset} with dropout after each "
        f"hidden layer, {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "The dropout rate p is the probability of dropping a unit. Classic dropout multiplies by "
        "1 − p in evaluation, the probability of keeping a unit. Multiplying by p, as some "
        "textbooks print, is the same at 0.5 only (table of forms).",
        "Each seed is trained on its own images, the same for all networks, by Adam, or AdamW with "
        "weight decay. The learning rate of each network, of equal rates for all, has the best "
        "accuracy on a tenth of the original training images, which are not trained on.",
        f"Dropout alone and with weight decay: the rates {LISTED}; weight decay "
        f"{' and '.join(f'{d:g}' for d in DECAYS)}. Both together are chosen by validation from "
        "four combinations, each alone from two.",
        f"Means over masks: {IMAGES} test images, in the trained networks. A correct output lies "
        f"beyond {ERRORS:g} standard errors with a probability of about one in a million.",
        f"Equivalence: {EQUAL_STEPS} or more steps of SGD in float32, at one rate, all seeds on "
        f"the same {FEW} images. With classic dropout, "
        "kernels after a dropout start 1 / (1 − p) times as large, and have 1 / (1 − p)² times the "
        "learning rate.",
        f"Steps: until the mean loss over all training images, without masks, is at most "
        f"{TARGET:g} nats, measured after each {EVERY} steps, at the learning rate at which this "
        "takes the fewest. A network that does not reach it counts with all its steps, a lower "
        "bound (≥). A claim is not judged where a bound does not decide it.",
        "Whether a layer's evaluation is the exact mean over all masks is counted by the "
        "experiment overfitting.",
    ],
    reach=f"A small dense network and {FEW} training images of at most {MOST:,} original ones; "
    "dropout of hidden units only, by one rate for all layers. Max-norm, with which Srivastava et "
    "al. 2014 found the best results, dropout of inputs and convolutional networks are not "
    "covered.",
    data=lambda prepared: identity(prepared.train),
)
