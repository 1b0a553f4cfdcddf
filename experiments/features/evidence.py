"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping
from math import log2
from typing import Any

import numpy as np

from experiments.features.measure import GABOR, LEARNED, NAMES, RANDOM, RAW
from experiments.features.networks import LAYERS
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent

CLAIMS = 8
LAST = list(LAYERS)[-1]


def accuracy(m: Mapping[str, Any], name: str, layer: str) -> list[float]:
    """Test accuracy of a probe, in percent, by seed."""
    return percent(m[name]["probes"][layer]["test"])


def selective(r: Mapping[str, Any]) -> tuple[int, int]:
    """The number of filters above the threshold, and of all filters, of all seeds."""
    above = np.array(r["selectivity"]) > r["threshold"]
    return int(above.sum()), above.size


def evidence(m: Mapping[str, Any]) -> list[Evidence]:
    if missing := [name for name in NAMES if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * CLAIMS
    learned, random = m[LEARNED], m[RANDOM]
    raw, (first, *_) = accuracy(m, RAW, "pixels"), LAYERS
    rises = np.diff([raw, *(accuracy(m, LEARNED, layer) for layer in LAYERS)], axis=0).min(0)
    exact = [right for field in learned["fields"].values() for right in field["exact"]]
    deepest = list(learned["fields"].values())[-1]
    index = lambda r: np.mean(r["selectivity"], axis=1).tolist()
    whole = [log2(deepest["side"] ** 2)] * len(deepest["effective"])
    return [
        Pairs(index(learned), index(random)),
        Share(*selective(learned)),
        Pairs(rises.tolist(), [0.0] * len(rises)),
        Pairs(accuracy(m, LEARNED, LAST), accuracy(m, RANDOM, LAST)),
        Pairs(accuracy(m, RANDOM, LAST), raw),
        Pairs(accuracy(m, LEARNED, first), accuracy(m, GABOR, first)),
        Share(sum(exact), len(exact)),
        Pairs(whole, [log2(pixels) for pixels in deepest["effective"]]),
    ]
