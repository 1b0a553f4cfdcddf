"""A claim, and what a run says of it."""

import math
from dataclasses import dataclass
from statistics import mean, stdev

STANDARD_ERRORS = 2  # that a difference must exceed


@dataclass(frozen=True)
class Claim:
    """`held` is None where a run is too small to tell."""

    text: str
    measure: str
    evidence: str
    held: bool | None

    @property
    def verdict(self) -> str:
        return {True: "held", False: "failed", None: "not judged"}[self.held]

    @classmethod
    def paired(cls, text: str, measure: str, greater: list[float], less: list[float]) -> "Claim":
        """That `greater` exceeds `less`, entry i of both from seed i, by more than chance gives.

        Held if the mean difference exceeds STANDARD_ERRORS of its standard errors.
        """
        off = [100 * (a - b) for a, b in zip(greater, less, strict=True)]
        n = len(off)
        if n < 2:
            return cls(text, measure, "needs at least 2 seeds", None)
        error = stdev(off) / math.sqrt(n)
        evidence = f"{mean(off):+.2f} ± {error:.2f} percentage points, n = {n}"
        return cls(text, measure, evidence, mean(off) > STANDARD_ERRORS * error)
