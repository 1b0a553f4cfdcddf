"""Claims of linearity, and the evidence for each."""

from math import log2
from typing import Any

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.statistics import percent, points
from experiments.linearity.maps import NARROWEST
from experiments.linearity.measure import LINEAR, REGRESSION, RELU
from experiments.linearity.xor import XOR

UNKNOWN = NotJudged("its parts were not measured")
POINTS = "percentage points"
CLAIMS = (
    Claim(
        "Without an activation, networks of 1, 2, 4 and 8 hidden layers are one linear map each",
        "depths × seeds: Jacobians at all images equal the product of the matrices to 1e-12, "
        "with the rank of the narrowest layer",
        "at least",
        1.0,
        changed="the text had any depth, and four depths are measured",
    ),
    Claim(
        "A perceptron computes 14 of the 16 functions of two bits, and neither XOR nor XNOR",
        "functions with the expected answer of the linear program",
        "at least",
        1.0,
    ),
    Claim(
        "No trained perceptron computes XOR",
        "seeds that classify 4 of 4 points correctly",
        "at most",
        0.0,
    ),
    Claim(
        "Two layers with 4 relu units learn XOR from most random starts",
        "seeds that classify 4 of 4 points correctly",
        "at least",
        0.5,
    ),
    Claim(
        "Twice the relu units interpolate a curve with nearly a quarter of the error",
        "mean halvings of the largest error per doubling of units, 32 to 128, with weights "
        "computed by interpolation; a pair is a curve",
        margin=1.9,
        unit="halvings",
        changed="the claim is about computed weights, not about training, and the margin is a "
        "factor of 3.7, not of 4",
    ),
    Claim(
        "A deep network can have more linear regions than any shallow one of its size",
        "depths L from 3 to 10 at which the sawtooth has more than 2 L + 1 regions",
        "at least",
        1.0,
    ),
    Claim(
        "A trained relu network of depth 4 has more linear regions than one of depth 1, at equal "
        "parameters",
        "log2 of the regions between two test images, relu, depth 4 − depth 1",
        unit="doublings",
        changed="the text had growth with depth, and two depths are compared",
    ),
    Claim(
        "The test accuracies of a linear network of depth 4 and of softmax regression differ by "
        "less than 2 percentage points",
        "absolute difference of the test accuracies of both networks, by seed",
        "less",
        margin=-2.0,
        unit=POINTS,
        changed="the text and the measure did not state what is compared",
    ),
    Claim(
        "relu makes the deep network more accurate than the linear one",
        "test accuracy, relu − linear, both of depth 4",
        unit=POINTS,
    ),
)


def evidence(m: dict[str, Any]) -> list[Evidence]:
    return [_linear(m), *_xor(m), _fit(m), _sawtooth(m), _regions(m), *_digits(m)]


def _linear(m):
    found = [r for name, r in m.items() if name.startswith("Jacobians")]
    cases = [case for r in found for case in zip(r["error"], r["rank"], strict=True)]
    right = sum(error <= 1e-12 and rank == NARROWEST for error, rank in cases)
    return Share(right, len(cases)) if cases else UNKNOWN


def _xor(m):
    if "XOR" not in m:
        return [UNKNOWN] * 3
    expected = {"".join(map(str, XOR)), "1001"}
    found = m["XOR"]["separable"]
    right = sum(possible == (bits not in expected) for bits, possible in found.items())
    by_hidden = {r["hidden"]: r["correct"] for r in m["XOR"]["trained"]}
    learned = lambda n: Share(sum(k == 4 for k in by_hidden[n]), len(by_hidden[n]))
    functions = Share(right, len(found), exhaustive=True)
    return [functions, learned(0), learned(4) if 4 in by_hidden else UNKNOWN]


def _fit(m):
    if "curves" not in m:
        return UNKNOWN
    errors = {r["units"]: r["errors"] for r in m["curves"]["constructed"]}
    halvings = lambda n: [log2(e) / 2 for e in errors[n]]  # two doublings from 32 to 128
    return Pairs(halvings(32), halvings(128))


def _sawtooth(m):
    if "sawtooth" not in m:
        return UNKNOWN
    more = [r["regions"] > 2 * r["depth"] + 1 for r in m["sawtooth"]]
    return Share(sum(more), len(more))


def _regions(m):
    deep, shallow = (m.get(name) for name in (RELU[-1], RELU[0]))
    if not (deep and shallow):
        return UNKNOWN
    doublings = lambda r: [log2(count) for count in r["regions"]["trained"]]
    return Pairs(doublings(deep), doublings(shallow))


def _digits(m):
    found = [m.get(name) for name in (LINEAR, REGRESSION, RELU[-1])]
    if not all(found):
        return [UNKNOWN, UNKNOWN]
    linear, regression, relu = (r["test"] for r in found)
    apart = [abs(d) for d in points(linear, regression)]
    return [Pairs(apart, [0.0] * len(apart)), Pairs(percent(relu), percent(linear))]
