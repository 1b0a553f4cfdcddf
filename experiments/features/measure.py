"""Parts of the experiment: pixels, Gabor filters, the untrained and the trained network, chains.

Test images are read for a network only after its training has ended.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.features.fields import (
    INPUTS,
    SIDE,
    by_formula,
    chains,
    field,
    gradients,
    random_images,
)
from experiments.features.networks import (
    BINS,
    DEPTHS,
    LAYERS,
    MAPS,
    body,
    extractor,
    gabor,
    network,
)
from experiments.features.orientation import selectivity, threshold
from experiments.features.probe import probe
from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from fcnn.data import Images
from fcnn.layers import Layer

RAW, GABOR, RANDOM, LEARNED = NAMES = ("raw pixels", "Gabor", "random", "learned")
CHAINS = "chains"
RATES = (5e-4, 2e-3, 6e-3, 2e-2)  # of the first step of Adam
MOST = 10_000  # original training images that are used
Features = Mapping[str, np.ndarray]  # name of the layer → (seeds, n, features)


class Prepared(NamedTuple):
    images: Splits
    side: int  # height and width of a filter of the first layer
    model: Layer
    inputs: int  # random images for receptive fields of the network


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=10)
    images = splits(config, most=MOST)
    side = 5 if images.train.x.shape[1] < 16 else 7
    inputs = 1 if config.smoke else INPUTS
    return config, Prepared(images, side, network(side, images.classes), inputs)


def parts(config: Options, prepared: Prepared) -> list[Part]:
    return [Part(name) for name in ((LEARNED,) if config.smoke else NAMES) + (CHAINS,)]


def measure(
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    images, side, model, _ = prepared
    seeds = config.seeds or 0
    trials = Trials(model, images.train, seeds=seeds, log=log, label=LEARNED)
    features = extractor(model)
    x = np.concatenate([each.x for each in images[:3]])
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == RAW:
            pixels = np.tile(x.reshape(1, len(x), -1), (seeds, 1, 1))
            yield part.name, {"probes": probes(images, {"pixels": pixels})}
        elif part.name == GABOR:
            filters = gabor(side)
            params = with_filters(trials.seeds.start().params, filters)
            first = {"layer 1": features(params, x)["layer 1"]}
            yield part.name, {"probes": probes(images, first), **_first([filters])}
        elif part.name == RANDOM:
            params = trials.seeds.start().params
            yield part.name, _network(prepared, params, features(params, x))
        elif part.name == CHAINS:
            depths = (1,) if config.smoke else DEPTHS
            yield part.name, chains(seeds, depths)
        else:
            best = chosen(
                trials,
                lambda run: run.accuracy(images.validation),
                epochs=config.epochs or 0,
                rates=RATES[:1] if config.smoke else RATES,
                batch_size=8 if config.smoke else 64,
            )
            params = best.run.params
            found = {
                "rate": best.rate,
                "validation": {f"{rate:g}": scores for rate, scores in best.scores.items()},
                "accuracy": best.run.accuracy(images.test).tolist(),
            }
            yield part.name, found | _network(prepared, params, features(params, x))


def with_filters(params: Any, filters: np.ndarray) -> Any:
    """The params of all seeds with these filters, and no bias, in the first layer."""
    w, b = params["conv1"]["w"], params["conv1"]["b"]
    kernel = jnp.moveaxis(jnp.asarray(filters, w.dtype), 0, -1)[:, :, None]
    return params | {"conv1": {"w": jnp.broadcast_to(kernel, w.shape), "b": jnp.zeros_like(b)}}


def probes(images: Splits, features: Features) -> dict[str, Any]:
    """A probe of each layer; features of zeros make all probes equally large."""
    size = max(BINS * BINS * MAPS, int(np.prod(images.train.x.shape[1:])))
    ends = np.cumsum([len(each.y) for each in images[:3]])[:-1]
    found = {}
    for name, x in features.items():
        padded = np.pad(x, ((0, 0), (0, 0), (0, size - x.shape[-1])))
        split = zip(np.split(padded, ends, axis=1), images[:3], strict=True)
        train, validation, test = (Images(part, each.y) for part, each in split)
        found[name] = probe(train, validation, test, images.classes)
    return found


def _network(prepared: Prepared, params: Any, features: Features) -> dict[str, Any]:
    """Probes, filters and receptive fields of a network, by seed."""
    w = np.asarray(params["conv1"]["w"])  # (seeds, side, side, channels, maps)
    formula = by_formula(prepared.side)
    x = random_images(prepared.inputs, SIDE, w.shape[3])
    found = gradients(body(prepared.model), params, x, formula)
    return {
        "probes": probes(prepared.images, {name: features[name] for name in LAYERS}),
        **_first(np.moveaxis(w.sum(3), -1, 1)),
        "threshold": threshold(prepared.side),
        "fields": {
            name: field(each, side)
            for (name, side), each in zip(formula.items(), found, strict=True)
        },
        "gradient": found[-1][0].tolist(),
    }


def _first(filters: Sequence[np.ndarray]) -> dict[str, Any]:
    """The filters of the first seed, and the selectivity index of those of each seed."""
    found = [selectivity(each).tolist() for each in filters]
    return {"filters": np.asarray(filters[0]).tolist(), "selectivity": found}
