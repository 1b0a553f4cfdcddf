"""Training of each kind of layer on each kind of data, and its score on the test examples."""

from collections.abc import Generator, Sequence
from statistics import fmean
from typing import Any

import fcnn
from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.files_of_data import BATCH, RATES, Files, epochs, identity, with_sizes
from experiments.framework.sized import nearest
from experiments.framework.trained import Trials
from experiments.which_layer.columns import COLUMNS, VOCABULARY, Column
from experiments.which_layer.networks import FEATURES, KINDS, network
from fcnn.layers import Layer

SMOKE = (("diabetes", "convolution"), ("SMS spam", "dense"))


def prepare(config: Files) -> tuple[Files, dict[str, Column]]:
    config = with_sizes(config)
    names = dict(SMOKE) if config.smoke else COLUMNS
    return config, {name: COLUMNS[name](config) for name in names}


def parts(config: Files, prepared: dict[str, Column]) -> list[Part]:
    every = [(name, kind) for name in prepared for kind in KINDS]
    return [
        Part(f"{name}, {kind}", (name, kind)) for name, kind in (SMOKE if config.smoke else every)
    ]


def measure(
    config: Files, prepared: dict[str, Column], todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        name, kind = part.payload
        yield part.name, scored(config, prepared[name], kind, part.name, log)


def sized(column: Column, kind: str, parameters: int) -> tuple[Layer, int]:
    """The network with about this number of parameters, without the embedding, and their number."""
    shared = VOCABULARY * FEATURES if column.form == "text" else 0
    build = lambda size: network(kind, column.form, column.outputs, size, VOCABULARY)
    count = lambda model: fcnn.summary(model, column.train.x.shape[1:]).parameters - shared
    model = build(nearest(build, count, parameters))
    return model, count(model)


def scored(config: Files, column: Column, kind: str, label: str, log: Log) -> dict[str, Any]:
    """Test scores by seed, at the rate with the highest mean score on validation."""
    model, parameters = sized(column, kind, config.parameters)
    options: dict[str, Any] = {"seeds": config.seeds, "log": log, "label": label}
    best = chosen(
        Trials(model, column.train, loss=column.loss, **options),
        lambda run: column.validation.score(run.outputs(column.validation.x)),
        epochs=epochs(config, len(column.train.y)),
        rates=RATES[2:3] if config.smoke else RATES,
        batch_size=BATCH,
    )
    return {
        "parameters": parameters,
        "rate": best.rate,
        "validation": {f"{rate:g}": scores for rate, scores in best.scores.items()},
        "test": column.test.score(best.run.outputs(column.test.x)).tolist(),
        "examples": [len(each.x) for each in (column.train, column.validation, column.test)],
    }


def data(prepared: dict[str, Column]) -> str:
    return identity({name: column.train.x for name, column in prepared.items()})


def scores(m: dict[str, Any], name: str) -> dict[str, list[float]]:
    """Test scores by seed of each kind that was trained on this data."""
    return {kind: m[part]["test"] for kind in KINDS if (part := f"{name}, {kind}") in m}


def strongest(m: dict[str, Any], name: str, without: str) -> str:
    """The other kind with the highest mean score on validation, each at its chosen rate."""
    part = lambda kind: m[f"{name}, {kind}"]
    score = lambda kind: fmean(part(kind)["validation"][f"{part(kind)['rate']:g}"])
    return max((kind for kind in KINDS if kind != without), key=score)
