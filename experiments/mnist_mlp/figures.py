"""Figures: loss by step, the confusion matrix, and the most wrong test images."""

import numpy as np

from experiments.framework.trained import STEPS
from experiments.mnist_mlp.measure import WITH, WITHOUT

BLUE, ORANGE = "#0072b2", "#d55e00"
COLOURS = {WITH: BLUE, WITHOUT: ORANGE}


def curves(axes, m) -> str | None:
    """Training loss by step; the labels have the test accuracy after training."""
    captions = []
    for name, r in m.items():
        steps = STEPS * (np.arange(len(r["loss"])) + 0.5)
        axes.plot(steps, r["loss"], color=COLOURS[name], lw=2)
        test = 100 * np.mean(r["test"])
        axes.text(steps[-1], r["loss"][-1], f" {name}", color=COLOURS[name], va="center")
        captions.append(f"{name}: last loss {r['loss'][-1]:.3g}, test accuracy {test:.2f} %")
    axes.set_yscale("log")
    axes.set_xlabel("training step")
    axes.set_ylabel("training loss, nats")
    axes.set_xlim(right=1.4 * axes.get_xlim()[1])
    return (
        f"Cross-entropy of training batches, in nats, by training step: means over seeds and over "
        f"{STEPS} steps, with units dropped where the network has dropout. {'; '.join(captions)}."
    )


def confusion(axes, m) -> str | None:
    """Errors by label and prediction, as counts; the diagonal, which is correct, is left out."""
    if WITH not in m:
        return None
    counts = np.array(m[WITH]["confusion"])
    errors = counts * (1 - np.eye(len(counts), dtype=int))
    axes.imshow(np.where(errors, errors, np.nan), cmap="Blues", vmin=0, vmax=1.6 * errors.max())
    for (label, predicted), count in np.ndenumerate(errors):
        if count:
            axes.text(predicted, label, f"{count}", ha="center", va="center")
        elif label == predicted:
            axes.text(predicted, label, "·", ha="center", va="center", color="0.6")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.grid(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("label")
    label, predicted = np.unravel_index(errors.argmax(), errors.shape)
    return (
        f"Errors on test images by label and predicted class, summed over seeds: {errors.sum():,} "
        f"of {counts.sum():,} predictions with dropout 0.2 are wrong. The most frequent error is "
        f"{label} predicted as {predicted}, {errors.max()} times."
    )


def wrong(axes, m) -> str | None:
    """The test images on which the network is most wrong."""
    if WITH not in m or not m[WITH]["wrong"]:
        return None
    shown = m[WITH]["wrong"]
    axes.axis("off")
    columns, gap = 4, 1.0
    height, width = np.shape(shown[0]["pixels"])
    for i, image in enumerate(shown):
        row, column = divmod(i, columns)
        left, top = column * (1 + gap / 4), row * (1 + gap / 2)
        place = (left, left + width / height, top + 1, top)
        axes.imshow(image["pixels"], cmap="gray_r", vmin=0, vmax=255, extent=place)
        text = f"{image['label']} → {image['predicted']}"
        axes.text(left + width / height / 2, top - 0.06, text, ha="center", va="bottom")
    axes.set_xlim(-0.05, columns * (1 + gap / 4))
    axes.set_ylim(-(-len(shown) // columns) * (1 + gap / 2) - 0.4, -0.35)
    listed = ", ".join(f"{i['label']} as {i['predicted']}" for i in shown)
    return (
        f"The {len(shown)} test images that the network with dropout 0.2 predicts most wrongly, "
        f"label → prediction: {listed}. Their labels have a probability of at most "
        f"{shown[-1]['probability']:.2g}, the mean over seeds."
    )
