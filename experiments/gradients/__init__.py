"""Hand-derived gradients equal autodiff: in every operator, and in a network trained with either.

Formulas that are often printed wrong are evaluated beside the right ones: the sign and the factor
of the squared error, softmax's gradient, and "a convolution has no derivative".

Command: python -m experiments gradients
"""

from math import log2
from statistics import fmean
from typing import Any

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.gradients.figures import by_cost, by_error, flipped, routed
from experiments.gradients.measure import Config, measure, parts, prepare
from experiments.gradients.tables import tables

UNKNOWN = NotJudged("its parts were not measured")
EPS = {"float32": 2.0**-23, "bfloat16": 2.0**-7}


def evidence(m: dict[str, Any]) -> list[Evidence]:
    return [*_formulas(m), *_errors(m), *_cost(m), *_networks(m)]


def _formulas(m):
    if "formulas" not in m:
        return [UNKNOWN, UNKNOWN]
    found = m["formulas"]["formulas"]
    printed, right = ([e for f in found for e in f[kind]] for kind in ("printed", "right"))
    wrong = sum(e > 0.01 for e in printed)
    return [Share(sum(e <= 1e-10 for e in right), len(right)), Share(wrong, len(printed))]


def _errors(m):
    found = [r["errors"] for r in m.values() if "errors" in r]
    if not found:
        return [UNKNOWN, UNKNOWN]
    equal = sum(e["float64"]["hand"] <= 1e-12 for e in found)
    rounded = [(eps, e[dtype]) for e in found for dtype, eps in EPS.items()]
    close = sum(e["hand"] <= max(2 * e["autodiff"], 4 * eps) for eps, e in rounded)
    return [Share(equal, len(found)), Share(close, len(rounded))]


def _cost(m):
    """Values by operator: the mean over its sizes and dtypes, which are not independent."""
    found: dict[str, list[Any]] = {}
    for r in m.values():
        if "cost" in r:
            found.setdefault(r["problem"], []).append(r["cost"])
    if not found:
        return [UNKNOWN, UNKNOWN]
    doublings = lambda kind, what: [
        fmean(log2(c[kind][what]) for c in costs) for costs in found.values()
    ]
    pairs = lambda what: Pairs(doublings("autodiff", what), doublings("hand", what))
    return [pairs("seconds"), pairs("bytes")]


def _networks(m):
    found = {r["trained"]: r["distance"] for r in m.values() if "trained" in r}
    share = lambda d, bound: Share(sum(v <= bound for v in d), len(d)) if d else UNKNOWN
    return [share(found.get("float64"), 1e-10), share(found.get("float32"), 1e-4)]


EXPERIMENT = Experiment(
    name="gradients",
    title="Hand-derived gradients equal autodiff",
    description="Printed formulas, every operator, cost, and a network trained with either.",
    chapter="training",
    sources="Rumelhart, Hinton & Williams 1986; "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 6 and 9",
    reach="Each operator is compared at one of its cases, in float64, float32 and bfloat16, on one "
    "CPU. The trained network is small, and its steps are few; other devices are not covered.",
    claims=(
        Claim(
            "The right formulas give autodiff's gradient",
            "formulas × draws with an error of at most 1e-10",
            "at least",
            1.0,
        ),
        Claim(
            "Formulas that are often printed give another gradient",
            "formulas × draws with an error above 1 % of the largest entry",
            "at least",
            1.0,
        ),
        Claim(
            "Every hand-derived gradient equals autodiff in float64",
            "operators with an error of at most 1e-12 of the largest entry",
            "at least",
            1.0,
        ),
        Claim(
            "In float32 and bfloat16 a hand-derived gradient is as accurate as autodiff",
            "operators × dtypes with at most twice autodiff's error, or 4 units in the last place",
            "at least",
            0.95,
        ),
        Claim(
            "Hand-derived backward passes are faster than autodiff's",
            "log2 of the median time, mean over sizes and dtypes, autodiff − hand; a pair is an "
            "operator",
            unit="doublings",
            changed="sizes and dtypes of one operator were counted as independent",
        ),
        Claim(
            "Hand-derived backward passes need less memory than autodiff's",
            "log2 of the bytes, mean over sizes and dtypes, autodiff − hand; a pair is an operator",
            unit="doublings",
            changed="sizes and dtypes of one operator were counted as independent, and without the "
            "gradients' bytes the ratio had no value for an operator that saves nothing",
        ),
        Claim(
            "A network trained with either gradient ends in the same weights in float64",
            "seeds with a difference of at most 1e-10 of the largest weight",
            "at least",
            1.0,
        ),
        Claim(
            "A network trained with either gradient ends in the same weights in float32, "
            "within 1e-4",
            "seeds with a difference of at most 1e-4 of the largest weight",
            "at least",
            1.0,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"flipped": flipped, "routed": routed, "error": by_error, "cost": by_cost},
    summary=lambda config, m: (
        f"Gradients of {sum('errors' in r for r in m.values())} operators, and a convolutional "
        f"network with batch norm trained on {config.dataset}, {config.seeds} seeds."
    ),
    notes=lambda config: [
        "Errors are relative to the largest entry of the gradient; the reference is autodiff in "
        "float64 at the same rounded arguments.",
        f"Times are medians of {config.rounds} interleaved runs of the backward pass alone. Memory "
        "is what the forward pass saves for it, what it allocates, and the gradients.",
        "autodiff differentiates the forward function of the same operator; for conv, that of "
        "XLA's own convolution.",
    ],
    data=identity,
)
