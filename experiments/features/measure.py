"""Parts of the experiment: pixels, Gabor filters, the untrained network and the trained one.

Test images are read for a network only after its training has ended.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.features.fields import by_formula, effective, gradients, is_square
from experiments.features.networks import BINS, LAYERS, MAPS, extractor, gabor, network
from experiments.features.orientation import selectivity, threshold
from experiments.features.probe import probe
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from experiments.framework.tuned import RATES, tuned
from fcnn.data import Images
from fcnn.layers import Layer

RAW, GABOR, RANDOM, LEARNED = NAMES = ("raw pixels", "Gabor", "random", "learned")
MOST = 10_000  # original training images that are used
Features = Mapping[str, np.ndarray]  # name of the layer → (seeds, n, features)


class Prepared(NamedTuple):
    images: Splits
    side: int  # height and width of a filter of the first layer
    model: Layer


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=10)
    images = splits(config, most=MOST)
    side = 5 if images.train.x.shape[1] < 16 else 7
    return config, Prepared(images, side, network(side, images.classes))


def parts(config: Options, prepared: Prepared) -> list[Part]:
    return [Part(name) for name in ((LEARNED,) if config.smoke else NAMES)]


def measure(
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    images, side, model = prepared
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
        else:
            rates = RATES[:1] if config.smoke else RATES
            options = {"epochs": config.epochs or 0, "rates": rates}
            rate, run = tuned(trials, images.validation, **options)
            found = _network(prepared, run.params, features(run.params, x))
            accuracy = run.accuracy(images.test).tolist()
            yield part.name, {"rate": rate, "accuracy": accuracy, **found}


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
    found = gradients(prepared.model, params, w.shape[3])
    formula = by_formula(prepared.side)
    fields = {
        name: {
            "side": side,
            "exact": [is_square(gradient, side) for gradient in found[name]],
            "effective": [effective(gradient) for gradient in found[name]],
        }
        for name, side in formula.items()
    }
    return {
        "probes": probes(prepared.images, {name: features[name] for name in LAYERS}),
        **_first(np.moveaxis(w.sum(3), -1, 1)),
        "threshold": threshold(prepared.side),
        "fields": fields,
        "gradient": found["conv3"][0].tolist(),
    }


def _first(filters: Sequence[np.ndarray]) -> dict[str, Any]:
    """The filters of the first seed, and the selectivity index of those of each seed."""
    found = [selectivity(each).tolist() for each in filters]
    return {"filters": np.asarray(filters[0]).tolist(), "selectivity": found}
