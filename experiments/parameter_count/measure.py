"""Training of dense and convolutional networks at several sizes.

Test images are read for a network only after its training has ended.
"""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options, with_epochs
from experiments.framework.trained import Trials
from experiments.framework.tuned import tuned
from experiments.parameter_count import counts
from fcnn.data import Dataset, Images, split
from fcnn.models import ladder

WIDTHS = (1, 2, 3, 5, 8)
NETWORKS = ("dense", "conv3")
RATES = (2e-3, 1e-2)
TARGETS = {"digits": 0.95, "mnist": 0.97, "fashion_mnist": 0.85, "cifar10": 0.5}
COUNTS = "parameters of layers and networks"


class Prepared(NamedTuple):
    train: Images
    validation: Images
    data: Dataset
    widths: Sequence[int]


class Results(NamedTuple):
    counts: dict[str, Any] | None
    trained: list[dict[str, Any]]  # one per network and width
    target: float

    @property
    def widths(self) -> list[int]:
        return sorted({r["width"] for r in self.trained})

    @property
    def parameters(self) -> dict[str, dict[int, int]]:
        """By network and width."""
        by = {name: [r for r in self.trained if r["network"] == name] for name in NETWORKS}
        return {name: {r["width"]: r["parameters"] for r in found} for name, found in by.items()}

    def accuracy(self, network: str) -> dict[int, list[float]]:
        """Test accuracy of each seed, by width."""
        return {r["width"]: r["test"] for r in self.trained if r["network"] == network}


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=3)
    data = smaller(loaded(config)) if config.smoke else loaded(config)
    return config, Prepared(*split(data.train, 0.1), data, WIDTHS[:1] if config.smoke else WIDTHS)


def parts(config: Options, prepared: Prepared) -> list[Part]:
    runs = [
        Part(f"{name}, width {width}", (name, width), cost=width if name == "conv3" else 1)
        for width in prepared.widths
        for name in NETWORKS
    ]
    return [Part(COUNTS, cost=0.1), *runs]


def measure(
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    shape = prepared.data.shape
    for part in todo:
        if part.name == COUNTS:
            found = {"layers": counts.layers(), "networks": counts.networks()}
            yield part.name, {**found, "target": TARGETS[prepared.data.name]}
            continue
        name, width = part.payload
        net = ladder(shape, len(prepared.data.classes), width=width)[name]
        log.note(f"compiling and training {part.name} …")
        trials = Trials(net, prepared.train, seeds=config.seeds or 1, log=log, label=part.name)
        rates = RATES[:1] if config.smoke else RATES
        rate, run = tuned(trials, prepared.validation, epochs=config.epochs or 1, rates=rates)
        yield (
            part.name,
            {
                "network": name,
                "width": width,
                "parameters": fcnn.summary(net, shape).parameters,
                "rate": rate,
                "test": run.accuracy(prepared.data.test).tolist(),
                "target": TARGETS[prepared.data.name],
            },
        )


def gather(finished: dict[str, Any]) -> Results:
    trained = [result for name, result in finished.items() if name != COUNTS]
    target = next(iter(finished.values()))["target"]
    return Results(finished.get(COUNTS), trained, target)
