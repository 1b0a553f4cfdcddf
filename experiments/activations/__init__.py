"""Activations: slopes, speed of learning, accuracy, cost and dead units.

The networks have four dense layers of 64 units and differ in their activation. FReLU, which needs
neighbouring pixels, is compared with relu in a network of two convolutions. Each network is trained
at five learning rates, and its best one is chosen on a fifth of the training images.

Command: python -m experiments activations
"""

from experiments.activations.evidence import DOUBLINGS, TWICE, evidence
from experiments.activations.figures import cost, dead, functions, learning
from experiments.activations.learning import HIGH, TARGET, USUAL
from experiments.activations.measure import ROUNDS, measure, parts, prepare
from experiments.activations.networks import FLAT
from experiments.activations.tables import tables
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options

POINTS = "percentage points"
QUANTITY = "the text did not name the quantity"
FASTER = "log2 of seconds of sigmoid / seconds of relu"

EXPERIMENT = Experiment(
    name="activations",
    title="Activations: slopes, speed of learning, cost and dead units",
    description="Equal networks with sigmoid, tanh, relu, leaky relu, ELU, swish, mish and FReLU.",
    chapter="activations",
    sources="Glorot & Bengio 2010; Glorot, Bordes & Bengio 2011; "
    "Krizhevsky, Sutskever & Hinton 2012; Maas, Hannun & Ng 2013 (leaky relu); "
    "Clevert et al. 2016 (ELU); Ma, Zhang & Sun 2020 (FReLU); "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 6",
    reach="The slopes are checked for a grid over all of float32. The networks are four dense "
    "layers of 64 units, or two convolutions, on digits; deeper networks, batch norm and "
    "long training are not covered. Times are those of one CPU.",
    claims=(
        Claim(
            "The slope of sigmoid is at most 1/4",
            "numbers of float32 with a slope from 0 to 0.25",
            "at least",
            1.0,
        ),
        Claim(
            "The slope of tanh is at most 1",
            "numbers of float32 with a slope from 0 to 1",
            "at least",
            1.0,
        ),
        Claim(
            "relu learns at least twice as fast as sigmoid",
            f"log2 of steps to a training loss of {TARGET:g} nats, each at its best rate, "
            "sigmoid − relu",
            margin=TWICE,
            unit=DOUBLINGS,
        ),
        Claim(
            "tanh has a higher test accuracy than sigmoid",
            "test accuracy, each at its best rate, tanh − sigmoid",
            unit=POINTS,
            changed=QUANTITY,
        ),
        Claim(
            "relu takes at most half the time of sigmoid on arrays that fit the cache",
            f"{FASTER}, 2 MB, forward and backward, by repeat in one process",
            margin=TWICE,
            unit=DOUBLINGS,
        ),
        Claim(
            "relu takes at most half the time of sigmoid on arrays that do not fit the cache",
            f"{FASTER}, 64 MB, forward and backward, by repeat in one process",
            margin=TWICE,
            unit=DOUBLINGS,
        ),
        Claim(
            "A high learning rate kills more than a tenth of the units with relu",
            f"dead units, rate {HIGH:g} − rate {USUAL:g}",
            margin=10.0,
            unit=POINTS,
        ),
        Claim(
            "At a high rate more units die with relu than with the worst of leaky relu, ELU, swish "
            "and mish",
            f"dead units at rate {HIGH:g}, relu − the most of the four, by seed",
            unit=POINTS,
            changed="the text did not state that relu is compared with the worst of the four",
        ),
        Claim(
            "At a high rate leaky relu has a higher test accuracy than relu",
            f"test accuracy at rate {HIGH:g}, leaky relu − relu",
            unit=POINTS,
            changed=QUANTITY,
        ),
        Claim(
            "With FReLU fewer channels die at a high rate than with relu",
            f"dead channels at rate {HIGH:g}, relu − FReLU, with convolution",
            unit=POINTS,
        ),
        Claim(
            "In a convolutional network FReLU has a higher test accuracy than relu",
            "test accuracy, each at its best rate, FReLU − relu, with convolution",
            unit=POINTS,
            changed=QUANTITY,
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"functions": functions, "learning": learning, "dead": dead, "cost": cost},
    summary=lambda config, m: (
        f"Seven activations in a dense network and two in a convolutional one, trained on four "
        f"fifths of the training images of {config.dataset}. Epochs: {config.epochs}; seeds: "
        f"{config.seeds}."
    ),
    notes=lambda config: [
        "Weights start by He's initialization, for sigmoid and tanh by Glorot's. The best rate has "
        "the largest accuracy on the validation images, the fifth without training.",
        f"Steps: until the mean loss of 25 batches is at most {TARGET:g} nats, at the best rate. "
        "A network that does not reach it counts with all its steps, a lower bound (≥).",
        f"A unit is dead if its slope is below {FLAT:g} on all training images (at most 5,000 are "
        "tried). With convolution, a unit is a channel at all positions. Leaky relu has a slope of "
        "0.01 below 0, and no unit of it can be dead by this definition; a channel of FReLU only "
        "if the weights of its convolution cancel.",
        "FReLU is the larger of x and a depthwise 3×3 convolution of x. It adds 10 parameters per "
        "channel.",
        f"Times are the shortest of {ROUNDS} interleaved runs, the median of 5 repeats. In the "
        "cache: 2 MB for x and dy together; beyond: 64 MB.",
    ],
    data=lambda data: identity(data.train),
)
