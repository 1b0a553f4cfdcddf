"""The verdict on a claim in one run.

With Holm's adjusted p < 0.05, a claim about a difference held if the mean is beyond the margin in
its direction, and failed if it is on the other side. Otherwise it is undecided. A claim about a
share k / n takes no part in Holm's adjustment. With the margin 0 or 1, about none or all, it is
decided by the counted cases. With another margin it is undecided while the interval of k / n
contains it, unless the cases are all that there are.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share, registered
from experiments.framework.statistics import LEVEL, Estimate, holm, paired, share_interval

RULE = (
    "A claim about a difference is judged by Student's t over pairs, two-sided. A pair is of one "
    "seed, or of one round, size or operator where the measure says so. The claim held or "
    "failed with p < 0.05 after Holm's adjustment over the claims of a run, and is undecided "
    "otherwise. A claim about all cases or none is decided by counting; one about another share is "
    "undecided while the share's interval contains it. Intervals are 95 % confidence "
    "intervals."
)


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim: held, failed, undecided or not judged."""

    claim: Claim
    verdict: str
    evidence: str
    values: Evidence

    @property
    def text(self) -> str:
        return self.claim.text

    @property
    def measure(self) -> str:
        return self.claim.measure

    def json(self) -> dict[str, Any]:
        found = {"verdict": self.verdict, "evidence": self.evidence}
        return {**registered(self.claim), **found, "values": dataclasses.asdict(self.values)}


def judge(claims: Sequence[Claim], evidence: Sequence[Evidence]) -> list[Verdict]:
    """The verdicts on all claims of a run.

    Raises: TypeError if a claim about a share has values by seed, or the reverse.
    """
    for claim, values in zip(claims, evidence, strict=True):
        if not isinstance(values, NotJudged) and claim.exact != isinstance(values, Share):
            given = type(values).__name__
            raise TypeError(f"claim {claim.text!r} is {claim.direction!r}, and has {given}")
    found = list(zip(claims, evidence, strict=True))
    pairs = {i: (c, e) for i, (c, e) in enumerate(found) if isinstance(e, Pairs)}
    estimates = {i: paired(e.a, e.b, _margin(c)) for i, (c, e) in pairs.items() if not _why_open(e)}
    adjusted = holm([estimates[i].p if i in estimates else 1.0 for i in pairs])
    p = dict(zip(pairs, adjusted, strict=True))
    verdicts = []
    for i, (claim, values) in enumerate(found):
        if isinstance(values, NotJudged):
            word, text = "not judged", values.reason
        elif isinstance(values, Share):
            word, text = _by_share(claim, values)
        elif i in estimates:
            word, text = _by_estimate(claim, estimates[i], p[i])
            text = f"{values.bound} {text}".lstrip()
        else:
            word, text = "undecided", _why_open(values)
        verdicts.append(Verdict(claim, word, text, values))
    return verdicts


def _margin(claim: Claim) -> float:
    return -claim.margin if claim.direction == "less" else claim.margin


def _why_open(values: Pairs) -> str:
    difference = [x - y for x, y in zip(values.a, values.b, strict=True)]
    if not all(map(math.isfinite, difference)):
        return "a value is not finite"
    return "" if len(difference) > 1 else f"needs at least 2 pairs, n = {len(difference)}"


def _by_estimate(claim: Claim, found: Estimate, p: float) -> tuple[str, str]:
    beyond = found.mean - _margin(claim)
    right_side = beyond < 0 if claim.direction == "less" else beyond > 0
    word = "undecided" if p >= LEVEL else "held" if right_side else "failed"
    half = (found.high - found.low) / 2
    digits = max(0, 1 - math.floor(math.log10(half))) if half else 2
    mean, low, high = (f"{v:+.{digits}f}" for v in (found.mean, found.low, found.high))
    unit = f" {claim.unit}" if claim.unit else ""
    claimed = f", claimed: {claim.bound}" if claim.margin else ""
    chance = f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"
    interval = f"95 % interval {low} to {high}"
    return word, f"{mean}{unit}, {interval}, n = {found.n}, {chance}{claimed}"


def _by_share(claim: Claim, values: Share) -> tuple[str, str]:
    k, n = values.count, values.of
    if not n:
        return "undecided", "no case was counted"
    least = claim.direction == "at least"
    held = k >= claim.margin * n if least else k <= claim.margin * n
    word, text = "held" if held else "failed", f"{k:,} of {n:,}, {k / n:.1%}"
    if values.exhaustive:
        return word, f"{text}, all cases, claimed: {claim.bound}"
    low, high = share_interval(k, n)
    if 0 < claim.margin < 1 and low < claim.margin < high:
        word = "undecided"
    return word, f"{text}, 95 % interval {low:.1%} to {high:.1%}, claimed: {claim.bound}"
