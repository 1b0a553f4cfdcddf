"""Evidence for the claims, in the order of the record."""

from collections.abc import Mapping
from itertools import pairwise
from math import log2
from statistics import fmean
from typing import Any

import numpy as np

from experiments.features.measure import CHAINS, GABOR, LEARNED, NAMES, RANDOM, RAW
from experiments.features.networks import DEPTHS, LAYERS
from experiments.framework.claim import Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent

CLAIMS = 9
LAST = list(LAYERS)[-1]


def accuracy(m: Mapping[str, Any], name: str, layer: str) -> list[float]:
    """Test accuracy of a probe, in percent, by seed."""
    return percent(m[name]["probes"][layer]["test"])


def selective(r: Mapping[str, Any]) -> tuple[int, int]:
    """The number of filters above the threshold, and of all filters, of all seeds."""
    above = np.array(r["selectivity"]) > r["threshold"]
    return int(above.sum()), above.size


def log_share(field: Mapping[str, Any]) -> list[float]:
    """log2 of the effective receptive field's share of the receptive field, by seed."""
    return [log2(pixels / field["side"] ** 2) for pixels in field["effective"]]


def evidence(m: Mapping[str, Any]) -> list[Evidence]:
    if missing := [name for name in (*NAMES, CHAINS) if name not in m]:
        return [NotJudged(f"{missing[0]} was not measured")] * CLAIMS
    learned, random = m[LEARNED], m[RANDOM]
    raw, (first, *_) = accuracy(m, RAW, "pixels"), LAYERS
    by_layer = [raw, *(accuracy(m, LEARNED, layer) for layer in LAYERS)]
    before, after = min(pairwise(by_layer), key=lambda pair: fmean(pair[1]) - fmean(pair[0]))
    exact = [right for field in learned["fields"].values() for right in field["exact"]]
    index = lambda r: np.mean(r["selectivity"], axis=1).tolist()
    shallow, deep = (log_share(m[CHAINS][f"{DEPTHS[i]}"]) for i in (0, -1))
    return [
        Pairs(index(learned), index(random)),
        Share(*selective(learned)),
        Pairs(after, before),
        Pairs(accuracy(m, LEARNED, LAST), accuracy(m, RANDOM, LAST)),
        Pairs(accuracy(m, RANDOM, LAST), raw),
        Pairs(accuracy(m, LEARNED, first), accuracy(m, GABOR, first)),
        Share(sum(exact), len(exact)),
        Pairs([0.0] * len(deep), deep),
        Pairs(shallow, deep),
    ]
