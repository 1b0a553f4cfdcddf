"""The sections of the report, each as HTML with its own style and script."""

import json
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any

import jinja2
import numpy as np

from experiments.fc_vs_conv.config import Config
from experiments.fc_vs_conv.explorer.ladder import diagram
from experiments.fc_vs_conv.explorer.pictures import (
    button,
    feature_maps,
    filters,
    grey,
    images_of,
    moved,
    png,
    wrong_of,
)
from experiments.fc_vs_conv.explorer.stored import encoded
from experiments.fc_vs_conv.measured import Results
from experiments.framework.experiment import Section

FOLDER = Path(__file__).parent
PAGE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
).get_template("explorer.html.jinja")
COMPARED = ("dense", "conv3")  # the networks of the claims
PENS = {  # what pen.js makes of a drawing, as the makers of the data set made it
    "digits": {"box": 8, "radius": 0.7, "centre": "box"},
    "mnist": {"box": 20, "radius": 1.4, "centre": "mass"},
}
MISSING = (
    "<p>This page has no weights, or no test images, because the run was stopped before they were "
    "kept, has larger networks, or is older. A whole run of <code>python -m experiments fc_vs_conv"
    "</code> shows its trained networks here.</p>"
)
EXAMPLE = 12  # of the kept images: the first of class 3, which is drawn shifted, and as maps


def sections(config: Config, found: Results) -> list[Section]:
    """What can be shown of a run; one without weights or images shows less, and states it."""
    shown = found.shown
    if not shown.networks:
        return [Section("explorer", "Try the networks", MISSING)]
    style = f"<style>{(FOLDER / 'sections.css').read_text(encoding='utf-8')}</style>"
    result = [Section("ladder", "The networks", style + _ladder(shown.networks))]
    with_weights = {k: n for k, n in shown.networks.items() if "weights" in n}
    if not (with_weights and shown.images):
        return [*result, Section("explorer", "Try the networks", MISSING)]
    result.append(Section("explorer", "Try the networks", _explorer(config, shown, with_weights)))
    data = _data(found, with_weights)
    result.append(Section("data", "The data, and what is most wrong", data, "bottom"))
    inside = _inside(shown, with_weights)
    result.append(Section("inside", "Inside the networks", inside, "bottom"))
    return result


def _ladder(networks: dict[str, Any]) -> str:
    return (
        f'<figure class="rungs">{diagram(networks)}<figcaption>'
        "Each column is a network, from the image to the "
        "classes. An outlined box is what is swapped: a dense stage of the network to its left "
        "becomes convolutional. A box has the layer, the shape of its output, and the number of "
        "its parameters, with a bar for their share of the network. relu follows each stage."
        "</figcaption></figure>"
    )


def _explorer(config: Config, shown: Any, networks: dict[str, Any]) -> str:
    images = images_of(shown.images)
    x, labels = [*images.x], images.y.tolist()
    for name in COMPARED:
        for image, each in wrong_of(networks[name]) if name in networks else []:
            x.append(image)
            labels.append(each["label"])
    classes, first = shown.images["classes"], {}
    for i, label in enumerate(labels):
        first.setdefault(label, i)
    data = {
        "shape": shown.images["shape"],
        "classes": classes,
        "pen": PENS.get(config.dataset or ""),
        "images": encoded(np.stack(x)),
        "labels": labels,
        "networks": [
            {"name": name, "layers": n["layers"], "weights": n["weights"]}
            for name, n in networks.items()
        ],
    }
    script = "\n".join(
        (FOLDER / f"{name}.js").read_text(encoding="utf-8")
        for name in ("forward", "pen", "explorer")
    )
    strip = [button(x[i], i, f"test image: {classes[y]}") for y, i in sorted(first.items())]
    missing = [name for name in shown.networks if name not in networks]
    h, w, _ = shown.images["shape"]
    return PAGE.render(
        data=json.dumps(data).replace("</", "<\\/"),
        script=script,
        strip="".join(strip),
        classes=classes,
        networks=list(networks),
        draws=data["pen"] is not None,
        pen=data["pen"],
        maps=any(
            layer["kind"] == "global_avg_pool" for n in networks.values() for layer in n["layers"]
        ),
        size=f"{h}×{w}",
        missing=missing,
    )


def _data(found: Results, networks: dict[str, Any]) -> str:
    shown, images = found.shown.images, images_of(found.shown.images)
    classes = shown["classes"]
    tiles = [
        button(x, i, f"test image: {classes[y]}")
        for i, (x, y) in enumerate(zip(images.x, images.y, strict=True))
    ]
    parts = [f'<h3>Test images of each class</h3><div class="tiles classes">{"".join(tiles)}</div>']
    parts.append(_shifted(found, images.x[EXAMPLE : EXAMPLE + 1]))
    number = len(tiles)
    for name in (name for name in COMPARED if name in networks):
        cards = []
        for x, each in wrong_of(networks[name]):
            true, read = classes[each["label"]], classes[each["predicted"]]
            caption = f"{true} → {read}, {100 * each['probability']:.1f} %"
            cards.append(button(x, number, f"test image: {true}", caption))
            number += 1
        parts.append(
            f"<h3>Most wrong test images of {name}</h3>"
            f'<div class="tiles wrong">{"".join(cards)}</div>'
        )
    parts.append(
        '<p class="soft">Most wrong (seed 0): true class → predicted class, with the largest '
        "probabilities. Every image opens in the explorer at a click.</p>"
    )
    return "".join(parts)


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


def _inside(shown: Any, networks: dict[str, Any]) -> str:
    compared = [name for name in COMPARED if name in networks]
    parts = []
    for name in compared:
        first = next(layer for layer in networks[name]["layers"] if "w" in layer)
        what = "units of the first layer" if first["kind"] == "dense" else "kernels"
        parts.append(f"<h3>{name}: {what}</h3>{filters(name, networks[name])}")
    parts.append(
        '<p class="soft">Weights: <span class="positive">orange</span> above zero, '
        '<span class="negative">blue</span> below. A unit of dense has one weight per pixel of the '
        "image (those with the largest weights are shown). A kernel has nine, used everywhere.</p>"
    )
    image = images_of(shown.images).x[EXAMPLE]
    if "conv3" in compared:
        maps = [
            f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
            for text, picture in feature_maps(networks["conv3"], image)
        ]
        given = f"<figure>{png(grey(image), 'the image')}<figcaption>image</figcaption></figure>"
        parts.append(
            f'<h3>conv3: feature maps of one test image</h3><div class="maps">{given}'
            f"{''.join(maps)}</div>"
            '<p class="soft">Outputs of the three stages, before pooling: '
            "black is 0, white the largest value of the stage.</p>"
        )
    return "".join(parts)
