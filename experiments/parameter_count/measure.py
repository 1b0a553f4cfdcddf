"""Training of dense and convolutional networks at several sizes.

Test images are read for a network only after its training has ended.
"""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded
from experiments.framework.options import Options
from experiments.framework.trained import Trials
from experiments.parameter_count import counts
from fcnn.data import Dataset, Images, split
from fcnn.models import ladder

WIDTHS = (1, 2, 3, 5, 8)
NETWORKS = ("dense", "conv3")
RATES = (2e-3, 1e-2)
TARGETS = {"digits": 0.95, "mnist": 0.97, "fashion_mnist": 0.85, "cifar10": 0.5}
COUNTS = "parameters of layers and networks"


@dataclass(frozen=True)
class Config(Options):
    pass


class Prepared(NamedTuple):
    train: Images
    validation: Images
    data: Dataset
    widths: Sequence[int]

    def identity(self) -> str:
        digest = hashlib.sha256(self.train.x.tobytes() + self.train.y.tobytes()).hexdigest()
        return f"{len(self.train.y):,} training images, sha256 {digest[:16]}"


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


def prepare(config: Config) -> tuple[Config, Prepared]:
    if config.epochs is None:
        epochs = 1 if config.smoke else 30 if config.dataset == "digits" else 3
        config = replace(config, epochs=epochs)
    if (config.epochs or 0) < 1:
        raise ValueError(f"--epochs {config.epochs} must be at least 1")
    data = loaded(config)
    return config, Prepared(*split(data.train, 0.1), data, WIDTHS[:1] if config.smoke else WIDTHS)


def parts(config: Config, prepared: Prepared) -> list[Part]:
    runs = [
        Part(f"{name}, width {width}", (name, width), cost=width if name == "conv3" else 1)
        for width in prepared.widths
        for name in NETWORKS
    ]
    return [Part(COUNTS, cost=0.1), *runs]


def measure(
    config: Config, prepared: Prepared, todo: Sequence[Part], log: Log
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
        runs = {rate: trials.train(epochs=config.epochs or 1, rate=rate) for rate in rates}
        valid = {rate: run.accuracy(prepared.validation) for rate, run in runs.items()}
        rate = max(rates, key=lambda rate: valid[rate].mean())
        yield (
            part.name,
            {
                "network": name,
                "width": width,
                "parameters": fcnn.summary(net, shape).parameters,
                "rate": rate,
                "validation": {f"{rate:g}": a.tolist() for rate, a in valid.items()},
                "test": runs[rate].accuracy(prepared.data.test).tolist(),
                "target": TARGETS[prepared.data.name],
            },
        )


def gather(finished: dict[str, Any]) -> Results:
    trained = [result for name, result in finished.items() if name != COUNTS]
    target = next(iter(finished.values()))["target"]
    return Results(finished.get(COUNTS), trained, target)
