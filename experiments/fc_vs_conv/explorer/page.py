"""The sections of the report, each as HTML with its own style and script."""

import json
from pathlib import Path
from typing import Any

import jinja2

from experiments.fc_vs_conv.config import Config
from experiments.fc_vs_conv.explorer.images import images, in_page
from experiments.fc_vs_conv.explorer.inside import inside
from experiments.fc_vs_conv.explorer.kept import Shown
from experiments.fc_vs_conv.explorer.ladder import diagram
from experiments.fc_vs_conv.explorer.pictures import button
from experiments.fc_vs_conv.explorer.stored import encoded
from experiments.fc_vs_conv.measured import Results
from experiments.framework.experiment import Section

FOLDER = Path(__file__).parent
PAGE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
).get_template("explorer.html.jinja")
PENS = {  # what pen.js makes of a drawing, as the makers of the data set made it
    "digits": {"box": 8, "radius": 0.7, "centre": "box"},
    "mnist": {"box": 20, "radius": 1.4, "centre": "mass"},
}
MISSING = (
    "<p>This page has no weights, or no test images, because the run was stopped before they were "
    "kept, has larger networks, or is older. A whole run of <code>python -m experiments fc_vs_conv"
    "</code> shows its trained networks here.</p>"
)


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
    below = {
        "images": ("The data, and what is most wrong", images(found)),
        "inside": ("Inside the networks", inside(shown, with_weights)),
    }
    result += [Section(id, title, html, "bottom") for id, (title, html) in below.items()]
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


def _explorer(config: Config, shown: Shown, networks: dict[str, Any]) -> str:
    x, labels = in_page(shown)
    classes, first = shown.images["classes"], {}
    for i, label in enumerate(labels):
        first.setdefault(label, i)
    data = {
        "shape": shown.images["shape"],
        "classes": classes,
        "pen": PENS.get(config.dataset or ""),
        "images": encoded(x),
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
