"""A claim, registered in its experiment's record, and the evidence for it in one run.

A claim "greater" or "less" is about a mean difference over pairs: one per seed, or per round, size
or operator where the measure says so. A claim "at least" or "at most" is about a share of counted
cases.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any, Literal

from experiments.framework.statistics import LEVEL

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
            f"less than {0 - self.margin:g}"
            if self.direction == "less"
            else f"more than {self.margin:g}"
        )


@dataclass(frozen=True)
class Pairs:
    """Values of both sides, in the unit of the claim; the claim is about the mean of a - b.

    Pairs are of seeds, or of rounds, sizes or operators where the measure of the claim says so. If
    some values are bounds, so is the mean.
    """

    a: Sequence[float]  # entry i of both is of the same seed
    b: Sequence[float]
    bound: Literal["", "at least", "at most"] = field(default="", kw_only=True)


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


def registered(claim: Claim) -> dict[str, Any]:
    """The claim as a run's receipt keeps it."""
    return {k: v for k, v in dataclasses.asdict(claim).items() if k != "changed"}


def first_registered(kept: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The claims that were registered first, which later kept runs state too, or the run's own."""
    registered = kept.get("registered")
    return (kept.get("claims") or ()) if registered is None else registered


def differences(
    kept: Sequence[Mapping[str, Any]], claims: Sequence[Claim], verdicts: Sequence[str] = ()
) -> list[str]:
    """Each difference between registered claims and `claims`, with its reason.

    The verdict of the run that registered a claim is stated for changed claims, and where today's,
    of `verdicts`, is another one.
    """
    both = list(zip(kept, claims, strict=False))
    by_two_errors = any("direction" not in old and not claim.exact for old, claim in both)
    lines = [f"rule: more than two standard errors → p < {LEVEL}: {NEW_RULE}"] * by_two_errors
    today = chain(verdicts, repeat(""))
    for i, ((old, claim), verdict) in enumerate(zip(both, today, strict=False), start=1):
        changed, before = _changed(old, claim), old.get("verdict")
        if changed:
            reason = claim.changed or "the record gives no reason"
            then = f" (verdict of the run that registered it: {before})" if before else ""
            lines.append(f"claim {i}: {'; '.join(changed)}: {reason}{then}")
        elif verdict and before and verdict != before:
            lines.append(f"claim {i}: {before} → {verdict}: by another run, or by today's rule")
    if kept:
        added = enumerate(claims[len(kept) :], start=len(kept) + 1)
        lines += [f"claim {i} was added later: {c.text!r}" for i, c in added]
    if len(kept) > len(claims) or (claims and not kept):
        lines.append(f"{len(kept)} claims were registered, and the record has {len(claims)}")
    return lines


def _changed(old: Mapping[str, Any], claim: Claim) -> list[str]:
    """What has changed of a registered claim: its text, its measure, and what it claims of it."""
    now = registered(claim)
    known = {k: old[k] for k in now if k in old}
    then = replace(claim, **known)
    words = [(k, repr(known[k]), repr(now[k])) for k in ("text", "measure") if k in known]
    claimed = lambda each: f"{each.bound} {each.unit}".strip()
    words.append(("claimed:", claimed(then), claimed(claim)))
    return [f"{name} {a} → {b}" for name, a, b in words if a != b]
