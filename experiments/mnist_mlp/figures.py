"""Figures: loss by step, the confusion matrix, and the most wrong test images."""

import numpy as np

from experiments.framework.figures import label_lines
from experiments.framework.plots import cells, colour_of, images
from experiments.framework.trained import STEPS
from experiments.mnist_mlp.measure import WITH


def curves(axes, m) -> str | None:
    """Training loss by step."""
    captions = []
    for name, r in m.items():
        steps = STEPS * (np.arange(len(r["loss"])) + 0.5)
        axes.plot(steps, r["loss"], color=colour_of(name), lw=2, label=name)
        test = 100 * np.mean(r["test"])
        captions.append(f"{name} {r['loss'][-1]:.2g} nats and {test:.2f} % test accuracy")
    axes.set_yscale("log")
    axes.set_xlabel("training step")
    axes.set_ylabel("training loss, nats")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("Training loss with and without dropout")
    label_lines(axes)
    return (
        f"Training loss by step, the mean over seeds and {STEPS} steps, with units dropped where "
        f"the network has dropout. At the end: {', '.join(captions)}."
    )


def confusion(axes, m) -> str | None:
    """Errors by label and prediction, as counts; the diagonal, which is correct, is left out."""
    if WITH not in m:
        return None
    counts = np.array(m[WITH]["confusion"])
    errors = counts * (1 - np.eye(len(counts), dtype=int))
    shown = [[f"{count}" if count else "" for count in row] for row in errors]
    alpha = lambda label, predicted: 0.1 + 0.45 * errors[label, predicted] / errors.max()
    cells(axes, shown, -0.5, -0.5, lambda i, j: "vermillion" if errors[i, j] else None, alpha)
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.grid(visible=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("label")
    axes.set_title("Errors by label and predicted class")
    label, predicted = np.unravel_index(errors.argmax(), errors.shape)
    return (
        f"Errors on test images with dropout 0.2, summed over seeds: {errors.sum():,} of "
        f"{counts.sum():,} predictions are wrong. The most frequent error is {label} predicted as "
        f"{predicted}, {errors.max()} times."
    )


def wrong(axes, m) -> str | None:
    """The test images on which the network is most wrong."""
    if WITH not in m or not m[WITH]["wrong"]:
        return None
    shown = m[WITH]["wrong"]
    titled = [(f"{each['label']} → {each['predicted']}", each["pixels"]) for each in shown]
    images(axes, [titled[i : i + 4] for i in range(0, len(titled), 4)], vmin=0, vmax=255)
    axes.set_title("The most wrong predictions")
    listed = ", ".join(f"{i['label']} as {i['predicted']}" for i in shown)
    return (
        f"The {len(shown)} test images that the network with dropout 0.2 predicts most wrongly, "
        f"label → prediction: {listed}. The probability of their labels, the mean over seeds, is "
        f"at most {shown[-1]['probability']:.2g}."
    )
