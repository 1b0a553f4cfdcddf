"""Measurements of all networks: from finished parts, from kept results, and as claims take them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from experiments.fc_vs_conv.explorer.kept import Shown
from experiments.framework.claim import Evidence, NotJudged, Pairs


@dataclass
class Measured:
    """Results of one network. Lists have one entry per seed. A missing result is empty or None."""

    parameters: int
    multiply_adds: int
    activation_bytes: int
    test: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    shifted: dict[int, list[float]] = field(default_factory=dict)  # pixels of shift -> accuracies
    few_test: dict[int, list[float]] = field(default_factory=dict)  # training images -> accuracies
    few_train: dict[int, list[float]] = field(default_factory=dict)
    step_seconds: float | None = None
    compile_seconds: float | None = None

    @classmethod
    def of(cls, saved: dict[str, Any]) -> "Measured":
        """Results read from results.json, where the keys of a dict are text."""
        with_int_keys = ("shifted", "few_test", "few_train")
        numbered = {name: {int(k): v for k, v in saved[name].items()} for name in with_int_keys}
        return dataclasses.replace(cls(**saved), **numbered)

    @property
    def gap(self) -> list[float]:
        return [a - b for a, b in zip(self.train, self.test, strict=True)]


@dataclass
class Results:
    """The networks, and the number of training images, which old results do not have."""

    networks: dict[str, Measured]
    images: int = 0
    shown: Shown = field(default_factory=Shown)  # in the report only, not in results.json


def gather(finished: dict[str, Any]) -> Results:
    """The measurements of the finished parts."""
    found = Results({}, shown=Shown.of(finished))
    for result in finished.values():
        if "network" not in result:
            continue
        m = found.networks.setdefault(result["network"], Measured(**result["cost"]))
        if result["all"]:
            found.images, m.test, m.train = result["images"], result["test"], result["train"]
            m.shifted = {int(d): values for d, values in result["shifted"].items()}
        else:
            m.few_test[result["images"]] = result["test"]
            m.few_train[result["images"]] = result["train"]
    for result in finished.values():
        for name, seconds in result.get("step", {}).items():
            if name in found.networks:
                found.networks[name].step_seconds = seconds
                found.networks[name].compile_seconds = result["compile"][name]
    return found


def results(found: Results) -> dict[str, Any]:
    """The measurements as results.json keeps them."""
    networks = {name: dataclasses.asdict(m) for name, m in found.networks.items()}
    return {"training_images": found.images, "networks": networks}


def read(kept: dict[str, Any]) -> Results:
    networks = {name: Measured.of(m) for name, m in kept["networks"].items()}
    return Results(networks, kept.get("training_images", 0))


def evidence(found: Results) -> list[Evidence]:
    """Values of dense and conv3 by seed, in percent, for each claim of the record."""
    if not {"dense", "conv3"} <= found.networks.keys():
        return [NotJudged("dense and conv3 are not both measured")] * 3
    dense, conv = found.networks["dense"], found.networks["conv3"]
    few = sorted(conv.few_test)
    gap = lambda m, i: fmean(m.few_train[size][i] - m.few_test[size][i] for size in few)
    shift = max(conv.shifted)
    lost = lambda m: [a - b for a, b in zip(m.test, m.shifted[shift], strict=True)]
    return [
        _percent(conv, dense, lambda m: m.test),
        _percent(dense, conv, lost) if shift else NotJudged("no image was shifted"),
        _percent(dense, conv, lambda m: [gap(m, i) for i in range(len(m.test))])
        if few
        else NotJudged("no network was trained on few images"),
    ]


def _percent(a: Measured, b: Measured, values: Callable[[Measured], list[float]]) -> Pairs:
    return Pairs([100 * v for v in values(a)], [100 * v for v in values(b)])
