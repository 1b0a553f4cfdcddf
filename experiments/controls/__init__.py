"""Controls of fc_vs_conv: is it convolution that wins, and not the cost or a setting?

Each control changes one thing of the comparison of dense and conv3:

    multiply-adds   dense-wide has equally many, and so 7 to 40 times the parameters of conv3
    weight sharing  local3 has conv3's windows, with separate weights at each pixel
    neighbourhood   one fixed permutation of the pixels of every image
    rate            a quarter of the learning rate
    activation      tanh in place of relu

The claims also compare how long dense and conv3 train until they reach a set training accuracy.

Command: python -m experiments controls
"""

from dataclasses import dataclass

from experiments.controls.figures import by_control, by_step, pixels
from experiments.controls.measure import Prepared, measure, parts, permutation
from experiments.controls.networks import networks
from experiments.controls.output import evidence, table
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import framed, identity, loaded, smaller
from experiments.framework.options import Options, require_positive, with_epochs

POINTS = "percentage points"
TARGET = {"digits": 0.95, "mnist": 0.95, "fashion_mnist": 0.85, "cifar10": 0.5}
BEATS = "test accuracy, conv3 − dense"


@dataclass(frozen=True)
class Config(Options):
    width: int = 16
    """Channels of the first stage of conv3."""


def prepare(config: Config) -> tuple[Config, Prepared]:
    config = with_epochs(config, digits=30, others=6)
    require_positive(config, "width")
    data = smaller(loaded(config)) if config.smoke else loaded(config)
    frame = 2 if data.name == "digits" else 0
    train, test = framed(data.train, frame), framed(data.test, frame)
    width = min(config.width, 4) if config.smoke else config.width
    nets = networks(train.x.shape[1:], len(data.classes), width)
    order = permutation(train.x.shape[1:3])
    return config, Prepared(train, test, nets, TARGET[data.name], order)


EXPERIMENT = Experiment(
    name="controls",
    title="Why convolution beats dense: cost, locality, weight sharing, and settings",
    description="Each control changes one thing of the comparison of dense and conv3.",
    chapter="layers",
    sources="LeCun et al. 1998; Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 9",
    reach="The two networks of fc_vs_conv on digits, one change at a time. Seconds are those of "
    "one CPU; accelerators and other widths are not covered.",
    claims=(
        Claim(
            "Convolution also beats dense at equal multiply-adds",
            "test accuracy, conv3 − dense-wide",
            unit=POINTS,
        ),
        Claim(
            "Local connections without shared weights beat dense at equal size",
            "test accuracy, local3 − dense",
            unit=POINTS,
        ),
        Claim(
            "Shared weights raise the accuracy of local connections at equal size",
            "test accuracy, conv3 − local3",
            unit=POINTS,
        ),
        Claim(
            "Permuted pixels cost dense less than 1 percentage point",
            "test accuracy of dense, original − permuted pixels",
            "less",
            margin=-1.0,
            unit=POINTS,
        ),
        Claim(
            "Permuted pixels cost convolution accuracy",
            "test accuracy of conv3, original − permuted pixels",
            unit=POINTS,
        ),
        Claim(
            "Dense needs more training steps to the same training accuracy",
            "steps to the set accuracy, dense − conv3",
            unit="steps",
        ),
        Claim(
            "Dense needs more seconds to the same training accuracy",
            "steps times the median seconds of a step, dense − conv3",
            unit="seconds",
        ),
        Claim("Convolution also beats dense at a quarter of the learning rate", BEATS, unit=POINTS),
        Claim("Convolution also beats dense with tanh in place of relu", BEATS, unit=POINTS),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=lambda m: [table(m)],
    figures={"by_control": by_control, "by_step": by_step, "pixels": pixels},
    summary=lambda config, m: (
        f"Dense and convolutional networks in five controls, trained on {config.dataset}. Epochs: "
        f"{config.epochs}; seeds: {config.seeds}."
    ),
    notes=lambda config: [
        "Accuracies are means over seeds ± one standard deviation. Multiply-adds are those of one "
        "forward pass of one image. Training accuracy is the mean over 20 steps, on their batches; "
        "a network that does not reach the set accuracy counts with all its steps, a lower bound "
        "(≥). The seconds of a step are the median over interleaved rounds of one process.",
    ],
    data=lambda prepared: identity(prepared.train),
)
