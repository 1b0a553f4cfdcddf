"""A claim, and its verdict in one run."""

import math
from dataclasses import dataclass
from statistics import mean, stdev

STANDARD_ERRORS = 2  # a claim holds if its mean difference exceeds this many


@dataclass(frozen=True)
class Claim:
    """A claim with its evidence; `held` is None where a run is too small to decide."""

    text: str
    measure: str
    evidence: str
    held: bool | None

    @property
    def verdict(self) -> str:
        return {True: "held", False: "failed", None: "not judged"}[self.held]

    @classmethod
    def paired(cls, text: str, measure: str, greater: list[float], less: list[float]) -> "Claim":
        """The claim that `greater` exceeds `less` on average; entry i of both is from seed i.

        The claim holds if the mean difference exceeds STANDARD_ERRORS of its standard errors.
        """
        differences = [100 * (a - b) for a, b in zip(greater, less, strict=True)]
        n = len(differences)
        if n < 2:
            return cls(text, measure, "needs at least 2 seeds", None)
        center, error = mean(differences), stdev(differences) / math.sqrt(n)
        evidence = f"{center:+.2f} ± {error:.2f} percentage points, n = {n}"
        return cls(text, measure, evidence, center > STANDARD_ERRORS * error)
