"""A section of the report: test images of each class, shifted ones, and the most wrong ones."""

from html import escape
from statistics import fmean
from typing import Any

import numpy as np

from experiments.fc_vs_conv.explorer.kept import Shown
from experiments.fc_vs_conv.explorer.pictures import button, grey, moved, png
from experiments.fc_vs_conv.explorer.stored import decoded
from experiments.fc_vs_conv.measured import Results

COMPARED = ("dense", "conv3")  # the networks of the claims
EXAMPLE = 12  # of the kept images: the first of class 3, which is drawn shifted, and as maps


def in_page(shown: Shown) -> tuple[np.ndarray, list[int]]:
    """All images that the explorer can show, and their labels: examples, then the most wrong."""
    shape = shown.images["shape"]
    examples = decoded(shown.images["x"], (-1, *shape))
    wrong = [each for name in _compared(shown) for each in shown.networks[name]["wrong"]]
    x = [*examples, *(decoded(each["x"], shape) for each in wrong)]
    return np.stack(x), [*shown.images["y"], *(each["label"] for each in wrong)]


def images(found: Results) -> str:
    x, labels = in_page(found.shown)
    classes, count = found.shown.images["classes"], len(found.shown.images["y"])
    show = lambda i, *caption: button(x[i], i, f"test image: {classes[labels[i]]}", *caption)
    tiles = "".join(show(i) for i in range(count))
    parts = [f'<h3>Test images of each class</h3><div class="tiles classes">{tiles}</div>']
    parts.append(_shifted(found, x[EXAMPLE : EXAMPLE + 1]))
    for name in _compared(found.shown):
        cards = []
        for each in found.shown.networks[name]["wrong"]:
            true, predicted = classes[each["label"]], classes[each["predicted"]]
            cards.append(show(count, f"{true} → {predicted}, {100 * each['probability']:.1f} %"))
            count += 1
        parts.append(
            f"<h3>Most wrong test images of {name}</h3>"
            f'<div class="tiles wrong">{"".join(cards)}</div>'
        )
    parts.append(
        '<p class="soft">Most wrong (seed 0): true class → predicted class, with the largest '
        "probabilities. Every image opens in the explorer at a click.</p>"
    )
    return "".join(parts)


def _compared(shown: Shown) -> list[str]:
    return [name for name in COMPARED if shown.networks.get(name, {}).get("wrong")]


def _shifted(found: Results, x: Any) -> str:
    """One image at each shift, with the accuracies of the networks of the claims there."""
    measured = {name: m for name, m in found.networks.items() if name in COMPARED and m.shifted}
    if not measured:
        return ""
    cards = []
    for pixels in next(iter(measured.values())).shifted:
        percent = lambda m, d=pixels: f"{100 * fmean(m.shifted[d]):.1f} %"
        lines = "<br>".join(f"{escape(k)} {percent(m)}" for k, m in measured.items())
        text = f"{pixels} pixel{'' if pixels == 1 else 's'}"
        image = png(grey(moved(x, pixels)[0]), f"the image moved by {text}")
        cards.append(f"<figure>{image}<figcaption>{text}<br>{lines}</figcaption></figure>")
    return (
        f'<h3>A shifted test image</h3><div class="tiles wrong">{"".join(cards)}</div>'
        '<p class="soft">Moved to the right by 0 pixels and more. Below: test accuracy when all '
        "test images are shifted that far, the mean of four directions and all seeds.</p>"
    )
