"""Initialization: activations and gradients by layer from five starts, and what trains.

Five hidden layers of 100 units, as in the textbook's picture. The weights of all layers, the head
included, are normal with mean 0 and the standard deviation s, of n inputs to a unit; biases are 0:

    sd 1       s = 1            Xavier   s = 1 / √n    its simple form; Glorot's is √(2 / (n + m))
    sd 0.01    s = 0.01         He       s = √(2 / n)
    zeros      s = 0

Command: python -m experiments initialization
"""

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.initialization.evidence import ABOVE_CHANCE, CENTRED, SATURATED, evidence
from experiments.initialization.figures import FIGURES
from experiments.initialization.measure import IMAGES, measure, parts, prepare
from experiments.initialization.networks import EQUAL, RATES, TINY
from experiments.initialization.tables import tables

POINTS, DOUBLINGS = "percentage points", "doublings"
SCALES = "log2 of the RMS of activations, largest − smallest of the five hidden layers"
BEST = "test accuracy, each at its best rate"

EXPERIMENT = Experiment(
    name="initialization",
    title="Initial weights: activations and gradients by layer, and what trains",
    description="A network of five hidden layers with sigmoid, tanh and relu, from weights with "
    "standard deviation 1, 0.01 and 0, and from Xavier's and He's.",
    chapter="training",
    sources="Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998; "
    "Saitoh 2016, Deep Learning from Scratch, section 6.2",
    claims=(
        Claim(
            "With sd 1 more than half of the activations of sigmoid are within 0.1 of 0 or 1",
            "share of the activations of all hidden layers that are below 0.1 or above 0.9, "
            f"sd 1, in percent, − {SATURATED:g}",
            unit=POINTS,
        ),
        Claim(
            "With sd 0.01 more than nine tenths of the activations of sigmoid are within 0.1 of "
            "0.5",
            "share of the activations of all hidden layers that are from 0.4 to 0.6, sd 0.01, in "
            f"percent, − {CENTRED:g}",
            unit=POINTS,
        ),
        Claim(
            "From zeros, all units of a hidden layer stay equal",
            "activation functions × seeds × hidden layers whose units have equal weights in, "
            "biases and weights out after training at the best rate, within "
            f"{EQUAL:g} of the largest or {TINY:g}",
            "at least",
            1.0,
            changed="weights near the smallest number of float32 have few digits",
        ),
        Claim(
            "From zeros, networks are less than 10 percentage points more accurate than chance",
            "test accuracy, the best of three activations by seed, each at its best rate, − "
            f"(chance + {ABOVE_CHANCE:g})",
            "less",
            unit=POINTS,
            changed="'much more' had no number in the text",
        ),
        Claim(
            "Xavier's start keeps the scale of tanh's activations within a factor of 2",
            f"{SCALES}, Xavier, tanh",
            "less",
            margin=-1.0,
            unit=DOUBLINGS,
        ),
        Claim(
            "He's start keeps the scale of relu's activations within a factor of 2",
            f"{SCALES}, He, relu",
            "less",
            margin=-1.0,
            unit=DOUBLINGS,
        ),
        Claim(
            "With relu, He's start gives a test accuracy more than 1 percentage point above that "
            "of sd 0.01",
            f"{BEST}, relu, He − sd 0.01",
            margin=1.0,
            unit=POINTS,
            changed="the text had 'at least', and the verdict is about more than the margin",
        ),
        Claim(
            "With tanh, Xavier's start gives a test accuracy more than 1 percentage point above "
            "that of sd 1",
            f"{BEST}, tanh, Xavier − sd 1",
            margin=1.0,
            unit=POINTS,
            changed="the text had 'at least', and the verdict is about more than the margin",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures=FIGURES,
    summary=lambda config, m: (
        "Activations and gradients before training, and test accuracy after it, from five starts "
        f"with three activations. Data: {config.dataset}; epochs: {config.epochs}; seeds: "
        f"{config.seeds}."
    ),
    notes=lambda config: [
        "Seeds are paired: of one seed, the weights of all starts are the same normal numbers "
        "times s, and batches have the same order.",
        f"Scales and gradients are those before training, on at most {IMAGES} training images. "
        "RMS: the root of the mean square of all activations of a layer, or of all entries of the "
        "gradient of the mean loss with respect to its weights.",
        "Training: SGD with momentum 0.9, in batches of 64 images. Adam would rescale small and "
        "large gradients, and hide what is measured here. Each start is trained with each rate of "
        f"{', '.join(f'{rate:g}' for rate in RATES)}; its best one has the highest accuracy on a "
        "tenth of the training images, which are not trained on. The rate falls to 0 along a "
        "cosine. A rate at which training diverges with any seed is not chosen.",
    ],
    reach="Dense networks of one depth and width, on small images, with one optimizer and few "
    "epochs. Normalization and residual connections, which lessen the effect of the start, are not "
    "covered.",
    data=lambda prepared: identity(prepared.train),
)
