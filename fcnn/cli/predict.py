"""fcnn predict: the class of images by a trained model, with probabilities."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import jax
import numpy as np

from fcnn import data
from fcnn.cli.evaluate import add_run
from fcnn.cli.output import Misuse
from fcnn.cli.train.trained import Trained, trained
from fcnn.training import predict

COMMAND = "fcnn predict"
TOP = 3  # classes that are printed for an image


def add_to(tools) -> None:
    tool = tools.add_parser(
        "predict",
        help="predict the class of images",
        description="Print the most probable classes of each image, by a model that fcnn train "
        "made. Images are scaled and cropped as in its training. Exit code: 0; 2 for misuse, or if "
        "an image cannot be read. The other images are predicted then.",
    )
    add_run(tool)
    tool.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG, GIF, BMP or WebP file"
    )
    tool.add_argument("--json", action="store_true", help="print JSON, with all classes")
    tool.set_defaults(run=run)


def run(chosen: Namespace) -> int:
    try:
        model = trained(chosen.folder, chosen.step)
        if model.config["mean"] is None or model.classes is None:
            raise Misuse(f"{chosen.folder}: the model does not classify images; use fcnn.training")
    except (ValueError, TypeError, ImportError) as misuse:
        return _refuse(misuse)
    images, code = [], 0
    for path in chosen.images:
        try:
            images.append((path, data.decode_image(path, tuple(model.config["input"]))))
        except (ValueError, ImportError) as error:
            code = _refuse(error)
    if images:
        _print(chosen, model, images)
    return code


def _print(chosen: Namespace, model: Trained, images: list[tuple[Path, np.ndarray]]) -> None:
    paths, x = [path for path, _ in images], np.stack([image for _, image in images])
    logits = predict(model.recipe.model, model.params, model.state, x)
    rows = np.asarray(jax.nn.softmax(logits))
    assert model.classes is not None
    if chosen.json:
        each = [
            {
                "image": f"{path}",
                "probabilities": dict(zip(model.classes, row.tolist(), strict=True)),
            }
            for path, row in zip(paths, rows, strict=True)
        ]
        print(json.dumps(each, indent=1))
        return
    for path, row in zip(paths, rows, strict=True):
        best = [f"{model.classes[i]} {row[i]:.1%}" for i in np.argsort(-row)[:TOP]]
        print(f"{path}: {', '.join(best)}")


def _refuse(error: object) -> int:
    print(f"{COMMAND}: {error}", file=sys.stderr)
    return 2
