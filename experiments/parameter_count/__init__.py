"""Parameters of dense layers and of convolutions, and test accuracy.

1. A dense layer from n to m features has n m + m parameters, so it grows with the image. A
   convolution does not.
2. In a textbook's network for images of 224×224×3, (conv 3×3, relu, max pool 2×2) with 32, 64 and
   128 channels, dense 512 and dense 1000, one dense layer has at least 98 % of the parameters.
   Source: the pattern of LeCun et al. 1998 with relu; it is `fcnn.models.cnn(classes=1000)`.
3. At equal parameters a convolutional network is more accurate than a dense one, on average over
   sizes: three stages of each (`fcnn.models.ladder`), trained on real images.

Command: python -m experiments parameter_count
"""

from math import inf, log2
from statistics import fmean

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.framework.statistics import percent
from experiments.parameter_count.counts import TEXTBOOK
from experiments.parameter_count.figures import by_accuracy, by_image, by_layer
from experiments.parameter_count.measure import Results, gather, measure, parts, prepare
from experiments.parameter_count.tables import tables


def evidence(m: Results) -> list[Evidence]:
    unknown = NotJudged("the parameters were not counted")
    counts: list[Evidence] = [unknown, unknown]
    if m.counts:
        right = [each["parameters"] == each["formula"] for each in m.counts["layers"]]
        of_layers = m.counts["networks"][TEXTBOOK]
        largest = Share(max(of_layers), sum(of_layers), exhaustive=True)
        counts = [Share(sum(right), len(right)), largest]
    dense, conv = m.accuracy("dense"), m.accuracy("conv3")
    if not conv or dense.keys() != conv.keys():
        return [*counts, *[NotJudged("dense and conv3 are not both measured")] * 2]
    seeds = range(len(next(iter(conv.values()))))
    mean = lambda by: percent([fmean(a[i] for a in by.values()) for i in seeds])
    need = lambda name, otherwise: [
        log2(needed({m.parameters[name][w]: a[i] for w, a in by.items()}, m.target, otherwise))
        for by in [m.accuracy(name)]
        for i in seeds
    ]
    most = max(m.parameters["dense"].values())
    return [
        *counts,
        Pairs(mean(conv), mean(dense)),
        Pairs(need("dense", most), need("conv3", inf)),
    ]


def needed(by_parameters: dict[int, float], target: float, otherwise: float) -> float:
    """Parameters at which accuracy first reaches `target`, interpolated along their logarithm."""
    below = None
    for parameters, accuracy in sorted(by_parameters.items()):
        if accuracy >= target:
            if below is None:
                return parameters
            (p, a) = below
            return p * (parameters / p) ** ((target - a) / (accuracy - a))
        below = parameters, accuracy
    return otherwise


def notes(config: Options) -> list[str]:
    return [
        "Parameters are counted by fcnn.summary: weights and biases.",
        "The network of the claim about 224×224 images has (conv 3×3, relu, max pool 2×2) with 32, "
        "64 and 128 channels, dense 512 with relu, and dense 1000. The share of the largest layer "
        "depends on the network: the table also has three others, of which AlexNet and VGG-16 have "
        "less than 98 %.",
        "The claim about accuracy weighs all sizes equally. The table of differences shows how "
        "much each of them contributes.",
        "dense: three stages of dense and relu, and a dense head. conv3: three stages of conv 3×3 "
        "and relu, the first two with max pool 2×2, flatten, and a dense head. The width is the "
        "number of channels of the first stage of conv3; dense has about as many parameters.",
        "The learning rate of each network is the one with the higher mean accuracy on validation "
        "images, a tenth of the training images.",
        "A dense network that does not reach the set accuracy counts with the parameters of the "
        "largest one, so its need is understated.",
    ]


EXPERIMENT = Experiment(
    name="parameter_count",
    title="Parameters of dense layers and of convolutions, and test accuracy",
    chapter="layers",
    sources="LeCun et al. 1998; Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 9",
    reach="Counts are exact for the named networks. Accuracies are those of three stages of "
    "dense or convolutional layers of five widths, on digits, trained for 30 epochs; "
    "larger images are not covered.",
    claims=(
        Claim(
            "A dense layer has n × m weights and grows with the image, a convolution does not",
            "layers and image sizes with exactly the parameters of the formula",
            "at least",
            1.0,
        ),
        Claim(
            "One dense layer has at least 98 % of the parameters of a network of three "
            "convolutions, dense 512 and dense 1000 for 224×224 images",
            "parameters in the largest layer",
            "at least",
            0.98,
            changed="the text did not describe the network, and the margin is at least 98 %",
        ),
        Claim(
            "On average over sizes, convolution is more accurate at equal parameters",
            "test accuracy, mean over sizes, conv3 − dense",
            unit="percentage points",
            changed="the text did not state that accuracies are averaged over sizes",
        ),
        Claim(
            "A dense network needs twice the parameters for the same accuracy",
            "log2 of the parameters at a set test accuracy, dense − conv3",
            margin=1.0,
            unit="doublings",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    gather=gather,
    results=lambda m: m._asdict(),
    read=lambda kept: Results(**{name: kept[name] for name in Results._fields}),
    evidence=evidence,
    tables=tables,
    figures={"image": by_image, "layer": by_layer, "accuracy": by_accuracy},
    summary=lambda config, m: (
        f"Counted parameters, and networks trained on {config.dataset}. Sizes: {len(m.widths)}; "
        f"seeds: {config.seeds}. The set accuracy is {100 * m.target:g} %."
    ),
    notes=notes,
    data=lambda prepared: identity(prepared.train),
)
