"""Vanishing gradients by depth, and what trains a deep network all the same.

A network of d hidden layers of 64 units; a layer is dense and f, and f is sigmoid, tanh or relu:

    plain         h → f(h) w + b
    batch norm    h → f(batch_norm(h)) w + b
    residual      h → h + f(h) w + b
    pretraining   plain; each layer first learns, without labels, to reconstruct its input

Command: python -m experiments vanishing_gradient
"""

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.vanishing_gradient.evidence import evidence
from experiments.vanishing_gradient.figures import accuracy, by_activation, by_depth, by_remedy
from experiments.vanishing_gradient.gradients import IMAGES
from experiments.vanishing_gradient.measure import MOST, RATES, measure, parts, prepare
from experiments.vanishing_gradient.networks import CLAIMED, DEEPEST, TRAINED
from experiments.vanishing_gradient.pretraining import RATES as PRETRAINING_RATES, STEPS
from experiments.vanishing_gradient.tables import tables

POINTS, DECADES = "percentage points", "decades"
GRADIENT = "log10 of the RMS of the gradient of the weights"
BEST = f"test accuracy, {TRAINED} hidden layers, each at its best rate"

EXPERIMENT = Experiment(
    name="vanishing_gradient",
    title="Vanishing gradients, and four remedies",
    description="Gradients by layer with sigmoid, tanh and relu in networks of up to "
    f"{DEEPEST} hidden layers, and training with relu, batch norm, residual connections and "
    "pretraining.",
    chapter="depth",
    sources="Hochreiter 1991; Bengio, Simard & Frasconi 1994; Hinton, Osindero & Teh 2006; "
    "Bengio et al. 2007 (pretraining); Glorot & Bengio 2010; Ioffe & Szegedy 2015 (batch norm); "
    "Glorot, Bordes & Bengio 2011 (relu without pretraining); He et al. 2015 (initialization), "
    "2016 (residual connections)",
    claims=(
        Claim(
            "With sigmoid and Xavier's start, the gradient falls by more than 4 decades through "
            f"{CLAIMED} hidden layers",
            f"{GRADIENT}, last − first of {CLAIMED} hidden layers, sigmoid",
            margin=4.0,
            unit=DECADES,
            changed="the measure did not state the layers and the activation",
        ),
        Claim(
            f"Through {CLAIMED} hidden layers with Xavier's start, tanh loses fewer decades of the "
            "gradient than sigmoid, by more than one",
            f"{GRADIENT}, last − first of {CLAIMED} hidden layers, sigmoid − tanh",
            margin=1.0,
            unit=DECADES,
            changed="the text had 'a decade less', which may be read as a factor of the fall",
        ),
        Claim(
            "With relu and He's start, the gradients of all layers are within one decade, through "
            f"{DEEPEST} hidden layers",
            f"{GRADIENT}, largest − smallest of {DEEPEST} hidden layers, relu",
            "less",
            margin=-1.0,
            unit=DECADES,
            changed="the measure did not state the layers and the activation",
        ),
        Claim(
            "With relu, halving all weights makes the gradient smaller by exactly a factor of 2 "
            "per layer",
            "depths × seeds × images × pixels with a gradient of the sum of the logits that is not "
            "0, where it is smaller by exactly 2^(hidden layers + 1)",
            "at least",
            1.0,
            changed="pixels without a gradient, 0, were counted as equal",
        ),
        Claim(
            f"Batch norm makes a network of {TRAINED} hidden layers with sigmoid more accurate, by "
            "more than 10 percentage points",
            f"{BEST}, sigmoid, batch norm − plain",
            margin=10.0,
            unit=POINTS,
        ),
        Claim(
            f"Residual connections make a network of {TRAINED} hidden layers with sigmoid more "
            "accurate, by more than 10 percentage points",
            f"{BEST}, sigmoid, residual − plain",
            margin=10.0,
            unit=POINTS,
        ),
        Claim(
            f"Layer-wise pretraining makes a network of {TRAINED} hidden layers with sigmoid more "
            "accurate, by more than 10 percentage points",
            f"{BEST}, sigmoid, pretraining of {STEPS} batches per layer − plain",
            margin=10.0,
            unit=POINTS,
            changed="the measure did not state how long pretraining is",
        ),
        Claim(
            "With relu and He's start, pretraining adds less than 1 percentage point of test "
            f"accuracy in a network of {TRAINED} hidden layers",
            f"{BEST}, relu, pretraining − plain",
            "less",
            margin=-1.0,
            unit=POINTS,
            changed="the text did not state the network",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "by_activation": by_activation,
        "by_depth": by_depth,
        "by_remedy": by_remedy,
        "accuracy": accuracy,
    },
    summary=lambda config, m: (
        "Gradients by layer before training, and networks with "
        f"{TRAINED} hidden layers after it. Data: {config.dataset}; epochs: {config.epochs}; "
        f"seeds: {config.seeds}."
    ),
    notes=lambda config: [
        f"Gradients are of the mean loss of at most {IMAGES} training images, before training with "
        "labels; with halved weights, of the sum of the logits by the pixels of 20 images. "
        "RMS: the root of the mean square of the gradient's entries. Weights start by He's "
        "initialization for relu, and by Xavier's for sigmoid and tanh, in Glorot's form.",
        "Training: SGD with momentum 0.9, in batches of 64 images; Adam would rescale small "
        f"gradients. Each network is trained with each rate of {', '.join(f'{r:g}' for r in RATES)}"
        "; its best one has the highest accuracy on a tenth of the training images, which are not "
        "trained on. The rate falls to 0 along a cosine. A rate at which training diverges with "
        "any seed is not chosen.",
        f"Pretraining, on at most {MOST:,} training images: each layer in turn is an autoencoder "
        f"with a linear decoder, trained by Adam for {STEPS} batches of 64, with each rate of "
        f"{', '.join(f'{r:g}' for r in PRETRAINING_RATES)}; of each layer and seed, the best one "
        "has the smallest squared error on the validation images. Labels are not used. Then the "
        "whole network is trained as the others are, so that it has more training in total.",
    ],
    reach="Dense networks of one width on small images, with one optimizer and few epochs. "
    "Recurrent networks, in which the gradient also vanishes through time, and unlabelled data in "
    "addition to the labelled, for which pretraining is meant, are not covered.",
    data=lambda prepared: identity(prepared.train),
)
