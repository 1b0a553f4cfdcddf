"""Normalization: what batch norm changes in training, and which cells each norm averages.

A dense network with five hidden layers is trained with and without batch norm from several initial
standard deviations of its weights at seven learning rates, and on few images with and without
dropout. A convolutional network, an LSTM and a transformer are trained with batches of 64 and of 2.

Command: python -m experiments normalization
"""

from functools import partial

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.normalization.cubes import cubes
from experiments.normalization.evidence import GOOD, KEPT, TWICE, evidence
from experiments.normalization.figures import by_batch, by_rate, by_spread, dropout, sequences
from experiments.normalization.measure import MOST, measure, parts, prepare
from experiments.normalization.networks import GROUPS as GROUPS_OF_CNN, LARGE, MOMENTUM, SMALL
from experiments.normalization.panels import panels
from experiments.normalization.regions import GROUPS, C, H, N, W
from experiments.normalization.tables import tables
from experiments.normalization.training import DROPPED, FEW, RATES, SPREADS, TARGET

POINTS = "percentage points"
DOUBLINGS = "doublings"
RATED = "each at its best learning rate"
SMALLER = f"test accuracy lost with batches of {SMALL} in place of {LARGE}, equally many epochs"

EXPERIMENT = Experiment(
    name="normalization",
    title="Batch, layer, instance and group normalization",
    description="Batch norm by initial weights and learning rate; three norms by size of batch.",
    chapter="training",
    sources="Ioffe & Szegedy 2015 (batch norm); Ba, Kiros & Hinton 2016 (layer norm); "
    "Ulyanov, Vedaldi & Lempitsky 2016 (instance norm); Wu & He 2018 (group norm); "
    "Saitoh 2016, Deep Learning from Scratch, chapter 6.3; "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 8.7.1",
    claims=(
        Claim(
            "Batch norm averages a channel over examples and positions, layer norm an example over "
            "channels and positions, or one position over channels, instance norm a channel of an "
            "example over positions, and group norm a group of channels of an example over "
            "positions",
            f"output cells of {N} examples, {H}×{W} positions and {C} channels whose Jacobian is "
            "not 0 in exactly these input cells, of all five norms",
            "at least",
            1.0,
        ),
        Claim(
            "With batch norm a network learns in fewer steps",
            f"log2 of steps to a training accuracy of {100 * TARGET:g} %, each at the learning "
            "rate with the fewest, from He's weights, no normalization − batch norm",
            unit=DOUBLINGS,
            changed="the rates were those of the best accuracy, and the claim is about speed",
        ),
        Claim(
            "With batch norm the accuracy depends less on the initial standard deviation of the "
            "weights, by more than 10 percentage points",
            "highest − lowest test accuracy of the standard deviations "
            f"{', '.join(f'{sd:g}' for sd in SPREADS)}, {RATED}, batch norm − no normalization",
            "less",
            margin=10.0,
            unit=POINTS,
        ),
        Claim(
            "Batch norm permits a learning rate more than twice as high",
            f"log2 of the largest rate with a test accuracy of at least {100 * GOOD:g} %, from "
            "He's weights, batch norm − no normalization",
            margin=TWICE,
            unit=DOUBLINGS,
        ),
        Claim(
            f"With batch norm there is less need for dropout, on {FEW} training images",
            f"test accuracy gained by dropout, {RATED}, no normalization − batch norm",
            unit=POINTS,
        ),
        Claim(
            f"In a CNN batch norm loses more accuracy with batches of {SMALL} than group norm",
            f"{SMALLER}, {RATED}, CNN, batch norm − group norm",
            unit=POINTS,
            changed="accuracy lost is a fault of batch norm only where another norm loses less; "
            "the measure did not state that epochs are equal",
        ),
        Claim(
            f"In a CNN group norm loses less than {KEPT:g} percentage point of accuracy with "
            f"batches of {SMALL}",
            f"{SMALLER}, {RATED}, CNN with group norm, minus {KEPT:g} percentage point",
            "less",
            unit=POINTS,
            changed="the measure did not state that epochs are equal",
        ),
        *(
            Claim(
                f"In {kind} with batches of {SMALL}, layer norm has a higher test accuracy than "
                "batch norm",
                f"test accuracy, {RATED}, {kind}, layer norm − batch norm",
                unit=POINTS,
                changed="the mean over both networks does not state which of them gains",
            )
            for kind in ("an LSTM", "a transformer")
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "regions": cubes,
        "panels": panels,
        "spread": by_spread,
        "rates": by_rate,
        "dropout": dropout,
        "batches": by_batch,
        "lstm": partial(sequences, kind="LSTM"),
        "transformer": partial(sequences, kind="transformer"),
    },
    summary=lambda config, m: (
        "A dense network with and without batch norm, and a CNN, an LSTM and a transformer with "
        f"several norms, trained on {config.dataset} with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        "The learning rates of accuracies are chosen on a tenth of the training images, which are "
        "not trained on, from the same rates for all norms: the dense network by SGD, the others "
        "by Adam. If the loss of one seed is not finite, a rate counts as diverged for all seeds. "
        "A start that diverges at every rate counts with the accuracy of chance.",
        "Steps: until the mean training accuracy of 25 batches reaches "
        f"{100 * TARGET:g} %, at the learning rate with the fewest, which may differ from the best "
        "one. A network that does not reach it counts with all its steps, a lower bound (≥). He's "
        "weights are those of hidden layers; the output layer has LeCun's.",
        f"Dropout follows each relu. Its rate, {' or '.join(f'{d:g}' for d in DROPPED)}, is chosen "
        "on the validation images. Few images are trained on for about as many steps as all.",
        f"Batches of {SMALL} and of {LARGE} are trained on for equally many epochs, so that "
        f"batches of {SMALL} make {LARGE // SMALL} times as many steps, at rates of their own. "
        "Steps are rounded up to a multiple of 25. What more steps "
        f"gain is part of the measure: accuracy lost is negative if batches of {SMALL} gain more "
        "by their steps than they lose by their statistics.",
        f"Group norm has {GROUPS} groups in the figure of regions and {GROUPS_OF_CNN} in the CNN. "
        "Layer norm of an image takes all its channels and positions, as in Wu & He 2018. In the "
        "LSTM and the transformer it takes the features of one position. The LSTM has its norm "
        "between two layers, not inside of the recurrence.",
        "In evaluation batch norm uses running means of the batches' statistics. The newest one "
        f"has a weight of {1 - MOMENTUM:.1f} with batches of {LARGE}, and of "
        f"{1 - MOMENTUM ** (SMALL / LARGE):.4f} with batches of {SMALL}, so that the means are of "
        "equally many images.",
        f"The largest rate tried is {RATES[-1]:g}. A network that learns with it counts with it, a "
        "lower bound (≥). A claim is not judged where a bound does not decide it.",
    ],
    reach=f"Small networks and images, at most {MOST:,} training images, 325 to 400 steps with "
    f"batches of {LARGE}. Wu & He 2018 train ResNet-50 on ImageNet for 100 epochs. A CNN with "
    "layer or instance norm, deep residual networks and norms inside of a recurrence are not "
    "covered.",
    data=lambda prepared: identity(prepared.train),
)
