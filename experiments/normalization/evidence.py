"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

from experiments.framework.bounds import fastest, more_steps, unless_bounds
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent, points
from experiments.normalization.measure import FEW_IMAGES, REGIONS, STARTS
from experiments.normalization.networks import BATCH, LARGE, SMALL, WITHOUT
from experiments.normalization.training import HE, RATES, TARGET, best

GOOD = 0.9  # test accuracy that counts as learned
TWICE = 1.0  # doublings
SEQUENTIAL = ("LSTM", "transformer")
KEPT = 1.0  # percentage points that group norm may lose


def evidence(m) -> list[Evidence]:
    cells = m[REGIONS].values()
    without, batch = (m[STARTS[name]] for name in (WITHOUT, BATCH))
    lost = lost_by_small_batches(m, "CNN, group norm")
    return [
        Share(sum(r["right"] for r in cells), sum(r["of"] for r in cells)),
        _faster({WITHOUT: without, BATCH: batch}),
        Pairs(spread_of_starts(batch), spread_of_starts(without)),
        _higher(largest_rates(batch), largest_rates(without)),
        Pairs(gain_by_dropout(m[FEW_IMAGES[WITHOUT]]), gain_by_dropout(m[FEW_IMAGES[BATCH]])),
        Pairs(lost_by_small_batches(m, "CNN, batch norm"), lost),
        Pairs(lost, [KEPT] * len(lost)),
        *(
            Pairs(in_sequences(m, kind, "layer norm"), in_sequences(m, kind, BATCH))
            for kind in SEQUENTIAL
        ),
    ]


def _faster(parts: Mapping[str, dict[str, Any]]) -> Evidence:
    if diverged := [name for name, part in parts.items() if not any(part["runs"][HE])]:
        return NotJudged(f"{diverged[0]}: training diverges at each rate from He's weights")
    fast = {name: fastest_from_he(part) for name, part in parts.items()}
    return more_steps(fast, WITHOUT, BATCH, f"{100 * TARGET:g} %")


def fastest_from_he(part: dict[str, Any]) -> Mapping[str, Any]:
    return fastest(result for result in part["runs"][HE] if result)


def accuracy_by_start(part: dict[str, Any]) -> dict[str, list[float]]:
    """Test accuracy by seed in percent at the best rate; chance where all rates diverge."""
    chance = [1 / part["classes"]] * part["seeds"]
    return {
        start: percent(results[best(results)]["test"] if any(results) else chance)
        for start, results in part["runs"].items()
    }


def spread_of_starts(part: dict[str, Any]) -> list[float]:
    """The highest − the lowest test accuracy of the initial standard deviations, by seed."""
    tests = [each for start, each in accuracy_by_start(part).items() if start != HE]
    return [max(seed) - min(seed) for seed in zip(*tests, strict=True)]


def largest_rates(part: dict[str, Any]) -> list[float | None]:
    """The largest rate with a good test accuracy, from He's start, by seed."""
    done = [result for result in part["runs"][HE] if result]
    good = lambda seed: [r["rate"] for r in done if r["test"][seed] >= GOOD]
    return [max(good(seed), default=None) for seed in range(part["seeds"])]


def _higher(batch: Sequence[float | None], without: Sequence[float | None]) -> Evidence:
    """Doublings of rates; the largest rate that was tried is a lower bound."""
    doublings = lambda rates: [log2(rate) for rate in rates if rate is not None]
    found = Pairs(doublings(batch), doublings(without))
    if len(found.a) < len(batch) or len(found.b) < len(without):
        return NotJudged(f"a seed has no rate with a test accuracy of {100 * GOOD:g} %")
    end = lambda name, rates: (
        f"the largest rate of {name} is the largest one tried" if RATES[-1] in rates else ""
    )
    return unless_bounds(found, TWICE, a=end(BATCH, batch), b=end(WITHOUT, without))


def gain_by_dropout(part: dict[str, Any]) -> list[float]:
    """Test accuracy with the better dropout rate − without dropout, by seed, in points."""
    dropped = [result for rate, result in part.items() if rate != "0"]
    return points(dropped[best(dropped)]["test"], part["0"]["test"])


def lost_by_small_batches(m: dict[str, Any], part: str) -> list[float]:
    """Test accuracy with large − with small batches, by seed, in points."""
    return points(*(m[part][f"{batch}"]["test"] for batch in (LARGE, SMALL)))


def in_sequences(m: dict[str, Any], kind: str, norm: str) -> list[float]:
    """Test accuracy of a network with small batches in percent, by seed."""
    return percent(m[f"{kind}, {norm}"][f"{SMALL}"]["test"])
