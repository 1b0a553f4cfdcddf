"""Losses of classifiers: squared error against cross entropy, by the network's outputs.

For logits z, outputs y = f(z) and targets t, with one loss per example,

    squared error   l = 1/2 sum (y - t)²       cross entropy   l = -sum t log y
                                               of sigmoid      l = -sum t log y + (1-t) log(1-y)

    pair of output and loss           dl/dz
    identity, squared error           y - t
    sigmoid,  cross entropy           y - t
    softmax,  cross entropy           y - t
    sigmoid,  squared error           (y - t) y (1 - y)
    softmax,  squared error           (diag(y) - y yᵀ) (y - t)

Where y is near 0 or 1, and wrong, the last two gradients vanish. Equal networks with 32 hidden
units are trained with each pair by gradient descent. Each has the learning rate with the highest
accuracy on validation images, from the same grid.

Command: python -m experiments losses
"""

from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.losses.evidence import evidence
from experiments.losses.figures import accuracies, learning, vanishing
from experiments.losses.formulas import ROUNDING
from experiments.losses.learning import RATES, TARGET
from experiments.losses.measure import measure, parts, prepare
from experiments.losses.tables import tables

DOUBLINGS, POINTS = "doublings", "percentage points"
STEPS = f"log2 of steps to a training accuracy of {100 * TARGET:g} %, each at its best rate"
WITHIN = f"within {ROUNDING:g}"
EXPERIMENT = Experiment(
    name="losses",
    title="Squared error against cross entropy, with identity, sigmoid and softmax outputs",
    description="Gradients of five pairs of output and loss, and equal networks trained with each.",
    chapter="training",
    sources="Bishop 2006, Pattern Recognition and Machine Learning, chapters 4 and 5; Goodfellow, "
    "Bengio & Courville 2016, Deep Learning, chapter 6; Saitoh 2016, Deep Learning from Scratch, "
    "chapters 4 and 5; Simard, Steinkraus & Platt 2003",
    claims=(
        Claim(
            "y − t is the gradient of identity with squared error, of sigmoid with cross entropy, "
            "and of softmax with cross entropy",
            "random logits, of standard deviation 1 to 1000, and pairs with autodiff's gradient "
            f"{WITHIN} of y − t, in float64",
            "at least",
            1.0,
        ),
        Claim(
            "Softmax alone has the Jacobian diag(y) − y yᵀ, and not the gradient y − t",
            f"random logits with autodiff's Jacobian {WITHIN} of diag(y) − y yᵀ, in float64, and "
            "where the label's y is below 0.99, with a gradient of it that differs from y − t and "
            "t − y by more than 1 % of the largest entry",
            "at least",
            1.0,
        ),
        Claim(
            "Squared error's gradient vanishes where a sigmoid or softmax output is confidently "
            "wrong, and that of cross entropy does not",
            "outputs that are wrong with confidence p > 0.95 where autodiff's gradient of squared "
            f"error is {WITHIN} of its formula and has a norm of at most 2√2 (1 − p), and that of "
            "cross entropy one of at least 0.95, in float64",
            "at least",
            1.0,
        ),
        Claim(
            "Two logits with softmax are one logit, their difference, with sigmoid",
            "random pairs of logits with equal outputs and losses, and gradients equal to "
            f"sigmoid's and its negative, {WITHIN} of the largest value, in float64",
            "at least",
            1.0,
        ),
        Claim(
            "A network with one logit and sigmoid learns what the same network with two logits and "
            "softmax learns",
            "test images × seeds with equal predictions of even and odd labels; the logit starts "
            "as the difference of the two, and its weights have twice their rate",
            "at least",
            0.99,
            changed="random starts and separate rates made equal networks differ",
        ),
        Claim(
            "With softmax outputs, cross entropy learns in fewer steps than squared error",
            f"{STEPS}, squared error − cross entropy",
            unit=DOUBLINGS,
        ),
        Claim(
            "Softmax with cross entropy learns in fewer steps than identity with squared error",
            f"{STEPS}, identity with squared error − softmax with cross entropy",
            unit=DOUBLINGS,
        ),
        Claim(
            "Softmax with cross entropy has a higher test accuracy than the better of squared "
            "error with softmax and with identity outputs",
            "test accuracy, each at its best rate, cross entropy − the one of the two with the "
            "higher validation accuracy",
            unit=POINTS,
            changed="the higher test accuracy of two by seed is too high by chance",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"learning": learning, "vanishing": vanishing, "accuracy": accuracies},
    summary=lambda config, m: (
        "Gradients of random logits by autodiff in float64, and a network with 32 hidden units, "
        f"trained on {config.dataset} with five pairs of output and loss. Epochs: "
        f"{config.epochs}; seeds: {config.seeds}."
    ),
    reach="A small dense network with plain gradient descent and batches of 64 images. Momentum, "
    "Adam, which divides small gradients by their size, and deep networks are not covered. "
    "Gradients are exact for any network, as they are those of its logits.",
    notes=lambda config: [
        "The squared error is ½ Σ (y − t)², with targets 0 and 1. The prediction is the largest "
        "logit, or with one logit its sign.",
        "The best rate has the highest mean accuracy on a tenth of the training images, which are "
        f"not trained on, of the rates {', '.join(f'{rate:g}' for rate in RATES)} for all pairs. "
        "The rate falls to 0 along a cosine. A rate at which training diverges is not chosen.",
        f"Steps: until the mean accuracy of the last 25 batches is {100 * TARGET:g} %, measured on "
        "each batch before its update. Losses of different pairs are not comparable. A network "
        "that does not reach it counts with all its steps, a lower bound (≥). A claim for which "
        "such a bound is no evidence is not judged.",
        "Of softmax with squared error, y − t is the gradient only where both vanish: where the "
        "output is the label to 1e-12.",
        "Jacobians and gradients are those of JAX's autodiff, without fcnn's derived ones.",
        "One and two logits: whether the label is even or odd. Of the weights of one logit, as of "
        "the difference of two, a step changes twice as much as of the weights of each of the two. "
        "Both networks are trained at the rate that is best for two logits.",
    ],
    data=lambda prepared: identity(prepared.train),
)
