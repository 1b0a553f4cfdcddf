"""Comparison of fully connected and convolutional networks of equal size, stage by stage.

The claims compare "conv3" (three convolutional stages and a dense head) with "dense" (three dense
stages and a dense head). Both have about the same number of parameters. Their runs are paired by
seed.

    1. conv3 has the higher test accuracy.
    2. dense loses more accuracy when test images are shifted.
    3. dense overfits more: with few training images, it has the larger gap between training and
       test accuracy.

Command: python -m experiments fc_vs_conv
Result:  docs/fc-vs-conv.md has the verdicts and the tables with spread, device and minutes. They
         are made from experiments/results/fc_vs_conv.
"""

from experiments.fc_vs_conv.config import Config, check, resolved
from experiments.fc_vs_conv.explorer.page import sections
from experiments.fc_vs_conv.figures import accuracy_by_images, by_images, by_network, by_shift
from experiments.fc_vs_conv.measure import Prepared, measure, parts
from experiments.fc_vs_conv.measured import Results, evidence, gather, read, results
from experiments.fc_vs_conv.output import tables, tidy
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import framed, identity, loaded, smaller
from fcnn.models import ladder

STATIC = "the registered text is the same for all data sets and options"
POINTS = "percentage points"


def prepare(config: Config) -> tuple[Config, Prepared]:
    config = resolved(config)
    data = smaller(loaded(config), train=200) if config.smoke else loaded(config)
    check(config, data)
    frame = config.frame or 0
    train = framed(data.train, frame)
    rungs = config.networks or ()
    nets = ladder(train.x.shape[1:], len(data.classes), width=config.width or 0, rungs=rungs)
    return config, Prepared(train, lambda: framed(data.test, frame), nets, data.classes)


_MEANING = {  # of the names of networks
    "dense": "dense: three dense stages and a dense head.",
    "conv1": "conv1: the first stage is convolutional.",
    "conv2": "conv2: the first two stages are convolutional.",
    "conv3": "conv3: all three stages are convolutional.",
    "conv3-gap": "conv3-gap: conv3 with global average pooling instead of flattening.",
}


def summary(config: Config, found: Results) -> str:
    return (
        f"{len(found.networks)} networks between all dense and all convolutional, with about equal "
        f"numbers of parameters, trained on {found.images:,} images of {config.dataset}; "
        f"{config.seeds} seeds each."
    )


def notes(config: Config) -> list[str]:
    """The meaning of the columns of the table."""
    pixels = "1 pixel" if config.shift == 1 else f"{config.shift} pixels"
    return [
        "Accuracies are means over seeds ± one standard deviation. Gap: training minus test "
        f"accuracy. Shifted: every image is moved by {pixels}, the mean of four directions.",
        "Multiply-adds of one forward pass, and bytes of all layers' outputs, are counted from "
        "shapes. Training step: one step of one seed on a batch of "
        f"{config.batch_size} images, the median of interleaved runs. Compilation is of this step.",
        "Few images: the numbers of --sizes, trained for a quarter of the steps on all images. The "
        "experiment overfitting has a claim of the same kind, with other training: equally many "
        "steps for all numbers of images, at most 400 of digits, and other batches. So the "
        "verdicts may differ.",
        "A stage is dense and relu, or conv 3×3, relu and max pool 2×2. "
        + " ".join(_MEANING[name] for name in config.networks or () if name in _MEANING),
    ]


EXPERIMENT = Experiment(
    name="fc_vs_conv",
    chapter="layers",
    title="Fully connected against convolutional networks, at equal size",
    description="Five networks, from all dense to all convolutional: each replaces one more dense "
    "stage by a convolutional one.",
    sources="LeCun et al. 1998; Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 9",
    reach="Networks of about 55,000 parameters on 1,797 digits, and larger ones on MNIST, "
    "Fashion-MNIST and 21,494 images of CIFAR-10, by one optimizer, at one learning rate "
    "(controls has another one). Not covered: augmentation, batch norm, residual networks.",
    claims=(
        Claim(
            "Convolution beats dense at equal size",
            "test accuracy, conv3 − dense",
            "greater",
            unit=POINTS,
            changed=STATIC,
        ),
        Claim(
            "Dense falls further when test images are shifted",
            "accuracy lost, dense − conv3",
            "greater",
            unit=POINTS,
            changed=STATIC,
        ),
        Claim(
            "Dense overfits more when training images are few",
            "train − test accuracy with few training images, dense − conv3",
            "greater",
            unit=POINTS,
            changed=STATIC,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=lambda found: tables(found.networks),
    gather=gather,
    results=results,
    read=read,
    figures={
        "by_network": by_network,
        "by_shift": by_shift,
        "by_images": by_images,
        "accuracy_by_images": accuracy_by_images,
    },
    sections=sections,
    files=lambda found: {"results.csv": tidy(found.networks, found.images)},
    summary=summary,
    notes=notes,
    data=lambda prepared: identity(prepared.train),
)
