"""A claim, registered in its experiment's record, and its verdict in one run.

A claim "greater" or "less" is about a mean difference over pairs: one per seed, or per round, size
or operator where the measure says so. With Holm's adjusted p < 0.05,
it held if the mean is beyond the margin in its direction, and failed if it is on the other side.
Otherwise it is undecided. A claim "at least" or "at most" is about a share k / n of counted cases,
and takes no part in Holm's adjustment. With the margin 0 or 1, about none or all, it is decided by
the counted cases. With another margin it is undecided while the interval of k / n contains it,
unless the cases are all that there are.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments.framework.statistics import LEVEL, Estimate, holm, paired, share_interval

RULE = (
    "A claim about a difference is judged by Student's t over pairs, two-sided. A pair is of one "
    "seed, or of one round, size or operator where the measure says so. The claim held or "
    "failed with p < 0.05 after Holm's adjustment over the claims of a run, and is undecided "
    "otherwise. A claim about all cases or none is decided by counting; one about another share is "
    "undecided while the share's interval contains the bound. Intervals are 95 % confidence "
    "intervals."
)
NEW_RULE = (
    "at n = 3, two standard errors are exceeded by chance in 18 % of all runs, on one side 9 %"
)


@dataclass(frozen=True)
class Claim:
    """A statement that a run can refute. `changed` is the reason for its last change."""

    text: str
    measure: str
    direction: Literal["greater", "less", "at least", "at most"] = "greater"
    margin: float = 0.0
    unit: str = ""
    changed: str = ""

    def __post_init__(self):
        known = ("greater", "less", "at least", "at most")
        if self.direction not in known:
            expected = ", ".join(map(repr, known))
            what = f"claim {self.text!r}: unknown direction {self.direction!r}"
            raise ValueError(f"{what}; expected one of {expected}")

    @property
    def exact(self) -> bool:
        return self.direction in ("at least", "at most")

    @property
    def bound(self) -> str:
        """What the measure must be, for example "more than 1" or "at least 90 %"."""
        if self.exact:
            return f"{self.direction} {100 * self.margin:g} %"
        return (
            f"less than {-self.margin:g}"
            if self.direction == "less"
            else f"more than {self.margin:g}"
        )


@dataclass(frozen=True)
class Pairs:
    """Values of both sides, in the unit of the claim; the claim is about the mean of a - b.

    Pairs are of seeds, or of rounds, sizes or operators where the measure of the claim says so.
    """

    a: Sequence[float]  # entry i of both is of the same seed
    b: Sequence[float]


@dataclass(frozen=True)
class Share:
    """`count` of `of` cases, for a claim "at least" or "at most".

    If the cases are `exhaustive`, there are no other ones, and the evidence has no interval.
    Raises: ValueError for more cases than there are.
    """

    count: int
    of: int
    exhaustive: bool = False

    def __post_init__(self):
        if not 0 <= self.count <= self.of:
            raise ValueError(f"{self.count} of {self.of} cases: count must be from 0 to {self.of}")


@dataclass(frozen=True)
class NotJudged:
    """The reason why this run or this machine cannot judge the claim."""

    reason: str


Evidence = Pairs | Share | NotJudged


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


def registered(claim: Claim) -> dict[str, Any]:
    """The claim as a run's receipt keeps it."""
    return {k: v for k, v in dataclasses.asdict(claim).items() if k != "changed"}


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
    word, text = "held" if held else "failed", f"{k} of {n}, {k / n:.1%}"
    if values.exhaustive:
        return word, f"{text}, all cases, claimed: {claim.bound}"
    low, high = share_interval(k, n)
    if 0 < claim.margin < 1 and low < claim.margin < high:
        word = "undecided"
    return word, f"{text}, 95 % interval {low:.1%} to {high:.1%}, claimed: {claim.bound}"


def differences(kept: Sequence[Mapping[str, Any]], claims: Sequence[Claim]) -> list[str]:
    """Each difference between the claims of a kept result and `claims`, with its reason."""
    both = list(zip(kept, claims, strict=False))
    by_two_errors = any("direction" not in old and not claim.exact for old, claim in both)
    lines = [f"rule: more than two standard errors → p < {LEVEL}: {NEW_RULE}"] * by_two_errors
    for i, (old, claim) in enumerate(both, start=1):
        now = registered(claim)
        changed = [f"{k} {old[k]!r} → {now[k]!r}" for k in now if k in old and old[k] != now[k]]
        if changed:
            reason = claim.changed or "the record gives no reason"
            lines.append(f"claim {i}: {'; '.join(changed)}: {reason}")
    if len(kept) != len(claims):
        lines.append(f"{len(kept)} claims were registered, and the record has {len(claims)}")
    return lines
