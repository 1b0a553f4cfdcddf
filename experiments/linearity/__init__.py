"""Depth without an activation is one linear map; with relu, networks bend.

1. Without an activation, the Jacobian of a network of any depth is the same everywhere, the product
   of its matrices; trained on digits, such a network is softmax regression.
2. A perceptron cannot compute XOR: the linear program has no solution. Two layers can.
3. n relu units interpolate a curve with an error that falls as 1 / n².
4. Linear regions grow with depth at equal parameters: by construction, and in trained networks.

Command: python -m experiments linearity
"""

from statistics import fmean
from typing import Any

from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.linearity.claims import CLAIMS, evidence
from experiments.linearity.figures import by_curve, by_network, by_regions, xor_plane
from experiments.linearity.measure import measure, parts, prepare
from experiments.linearity.tables import tables


def summary(config: Options, m: dict[str, Any]) -> str:
    accuracies = [f"{name}: {100 * fmean(r['test']):.1f} %" for name, r in m.items() if "test" in r]
    trained = "; ".join(accuracies)
    return f"Test accuracy on {config.dataset}, {config.seeds} seeds. {trained}." if trained else ""


EXPERIMENT = Experiment(
    name="linearity",
    title="Depth without an activation is one linear map",
    description="Linear networks, XOR, curves, and linear regions.",
    chapter="activations",
    sources="Minsky & Papert 1969; Montúfar et al. 2014; Telgarsky 2015; "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 6",
    reach="The statements on linear maps, on XOR and on the sawtooth are exact. Regions are "
    "counted along lines between test images, in networks of one size, trained on digits, "
    "where even a linear network is accurate.",
    claims=CLAIMS,
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "xor": xor_plane,
        "curve": by_curve,
        "regions": by_regions,
        "accuracy": by_network,
    },
    summary=summary,
    notes=lambda config: [
        "Jacobians are computed in float64 at "
        f"{4 if config.smoke else 32} training images, for networks with random weights. "
        "Different Jacobians: how many of them, one per image, differ in a network; a range, such "
        "as 4 to 11, is over seeds. A linear network has 1, as its Jacobian is the same at every "
        "image.",
        "A curve is a sum of four sines, one per seed. Its error is the largest of 1,025 points. "
        "Interpolation computes the weights; trained networks minimize the mean squared error.",
        "Regions are counted by activation patterns at 2,000 points between two test images, the "
        "mean over 100 pairs. All networks with hidden layers have about as many parameters; the "
        "deeper ones have more units.",
        "The learning rate of each network is the one with the higher mean accuracy on validation "
        "images, a tenth of the training images.",
    ],
    data=lambda prepared: identity(prepared.train),
)
