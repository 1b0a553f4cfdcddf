"""Mini-batches: one image, 32, 128 or all training images per step of gradient descent.

A step with a mini-batch B of n of the N images moves parameters θ against the mean gradient g_B:

    θ ← θ - rate g_B        g_B = 1/n sum_(i in B) grad l_i(θ)        g = grad L(θ), all N images

    the mean of g_B over the mini-batches of an epoch is g
    n images drawn with replacement:     E |g_B - g|² = σ² / n        σ² = 1/N sum_i |grad l_i - g|²
    drawn without replacement:           E |g_B - g|² = σ² / n (N - n) / (N - 1)

Equal networks with 32 hidden units are trained with plain gradient descent. Each batch size has the
constant learning rate that reaches a loss on validation images in the fewest epochs.

Command: python -m experiments mini_batch
"""

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.mini_batch.evidence import TWICE, evidence
from experiments.mini_batch.figures import by_epoch, by_second, deviations
from experiments.mini_batch.learning import GOAL, RATES, TARGET
from experiments.mini_batch.measure import NOISE_IMAGES, measure, parts, prepare
from experiments.mini_batch.noise import DRAWS, ROUNDING, SIZES
from experiments.mini_batch.tables import tables
from experiments.mini_batch.times import ROUNDS

DOUBLINGS, LARGER = "doublings", "the larger of two values by seed: initial and trained parameters"
EPOCHS = f"epochs to a loss of {TARGET:g} nats on all training images"
SECONDS = f"log2 of seconds of training to a loss of {TARGET:g} nats on all training images"
LOSS = "0.2 nats became 0.1 before the first kept run; the text did not state the loss"

EXPERIMENT = Experiment(
    name="mini_batch",
    title="Mini-batches: progress per epoch and per second, and noise of the gradient",
    description="Equal networks, trained with 1, 32, 128 or all images per step.",
    chapter="training",
    sources="Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 8; Saitoh 2016, Deep "
    "Learning from Scratch, chapter 4; Bottou, Curtis & Nocedal 2018; Keskar et al. 2017; "
    "Wilson & Martinez 2003; Shallue et al. 2019 (choice of rates); Cochran 1977, Sampling "
    "Techniques, chapter 2",
    claims=(
        Claim(
            "The mean gradient of the mini-batches of an epoch is the gradient of all images",
            "epochs of 1, 32 and 128 images per step, at initial and trained parameters, in "
            f"float64, with all entries equal within {ROUNDING:g} of the largest entry",
            "at least",
            1.0,
        ),
        Claim(
            "The noise of the gradient falls with 1/√n for n images drawn with replacement",
            f"distance from −1/2 of the slope of log noise by log n, n from {SIZES[0]} to "
            f"{SIZES[-1]}, {LARGER}",
            "less",
            margin=-0.05,
        ),
        Claim(
            "Drawn without replacement, the noise has the further factor √((N − n) / (N − 1))",
            "distance of the measured noise from the formula at half of the images, in percent of "
            f"the formula, {LARGER}",
            "less",
            margin=-5.0,
            unit="percent",
        ),
        Claim(
            f"To a training loss of {TARGET:g} nats, each of 1, 32 and 128 images per step needs "
            "fewer epochs than the next larger size",
            f"log2 of {EPOCHS}, each at its best rate: the least of 32 − 1, 128 − 32 and all − 128 "
            "images, by seed",
            unit=DOUBLINGS,
            changed=LOSS,
        ),
        Claim(
            f"32 images per step reach a training loss of {TARGET:g} nats in less time than 1 "
            "image per step",
            f"{SECONDS}, each at its best rate, 1 − 32 images",
            unit=DOUBLINGS,
            changed=LOSS,
        ),
        Claim(
            f"32 images per step reach a training loss of {TARGET:g} nats in at most half the time "
            "of all images per step",
            f"{SECONDS}, each at its best rate, all − 32 images",
            margin=TWICE,
            unit=DOUBLINGS,
            changed=LOSS,
        ),
        Claim(
            "With all images per step and a small rate, every step lowers the training loss",
            f"steps × seeds at rate {RATES[0]:g} that lower the loss on all training images",
            "at least",
            1.0,
        ),
        Claim(
            "Trained to the same training loss, 1 image per step has a higher test accuracy than "
            "all images",
            f"test accuracy after the first epoch with a loss of at most {TARGET:g} nats on all "
            "training images, each at its best rate, 1 − all images",
            unit="percentage points",
            changed=f"{LOSS}, nor that training ends there",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"epochs": by_epoch, "seconds": by_second, "noise": deviations},
    summary=lambda config, m: (
        f"A network with 32 hidden units, trained on {config.dataset} with four batch sizes. "
        f"Epochs: {config.epochs}; seeds: {config.seeds}."
    ),
    reach="A small dense network, where a step of one image is mostly overhead of the program, on "
    "the processor of this run. Seconds and best batch sizes differ on other devices. Accelerators "
    "with large networks, several devices, momentum and falling rates are not covered.",
    notes=lambda config: [
        "Plain gradient descent with a constant rate. The best rate of each batch size needs the "
        f"fewest epochs, the mean over seeds, to a loss of {GOAL:g} nats on validation images, of "
        f"the rates {', '.join(f'{rate:g}' for rate in RATES)} for all sizes. Training images are "
        "cut to a multiple of 128, so that every epoch has each image once. Of rates with equally "
        "many epochs, the best one ends with the smaller loss on validation images. A rate at "
        "which training diverges with any seed is not chosen.",
        "After each epoch the loss is measured on all training images, and this measurement is "
        f"outside the times. A seed that does not reach {TARGET:g} nats counts with all its "
        "epochs, a lower bound (≥). A claim for which such a bound is no evidence is not judged. "
        "The test accuracy at the loss is that after the first epoch with at most this loss; with "
        "1 image per step, the loss may be well below it by then.",
        "Seconds: epochs of a seed, times the seconds of an epoch of one network as one compiled "
        f"program, without compilation. For seed i these are the shortest of {ROUNDS} interleaved "
        "runs in repeat i. An epoch that Python dispatches step by step takes longer, most of all "
        "with one image per step.",
        f"Noise: the root of the mean squared distance of {DRAWS} mini-batch gradients from the "
        "gradient of all images, with all parameters as one vector. The trained parameters are "
        "those after 10 epochs with 32 images per step at rate 0.1. All images are here at most "
        f"{NOISE_IMAGES:,} training images.",
    ],
    data=lambda prepared: identity(prepared.train),
)
