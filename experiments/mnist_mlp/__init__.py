"""The textbook's multilayer perceptron, 784-128-64-10 with dropout 0.2, reaches 98 % on MNIST.

    flatten   dense 128, relu, dropout 0.2   dense 64, relu, dropout 0.2   dense 10

The network is trained by Adam with a learning rate of 1e-3, which falls along a cosine, on batches
of 64 images, and a second time without dropout. The default data set is digits, which cannot judge
the claim about MNIST; --full is all of MNIST.

Command: python -m experiments mnist_mlp --full --data-dir DIR
"""

import fcnn
from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options
from experiments.framework.statistics import percent, points, with_spread
from experiments.framework.table import Best, Table
from experiments.mnist_mlp.figures import confusion, curves, wrong
from experiments.mnist_mlp.measure import (
    DROPOUT,
    WITH,
    WITHOUT,
    measure,
    network,
    parts,
    prepare,
)

GAP = "training − test accuracy, percentage points"


def evidence(m) -> list[Evidence]:
    dataset, test = m[WITH]["dataset"], percent(m[WITH]["test"])
    not_mnist = f"the images are {dataset}, not MNIST; run with --full --data-dir DIR"
    return [
        Pairs(test, [98.0] * len(test)) if dataset == "mnist" else NotJudged(not_mnist),
        Pairs(gap(m[WITHOUT]), gap(m[WITH])),
    ]


def gap(result) -> list[float]:
    """Training accuracy minus test accuracy of each seed, in percentage points."""
    return points(result["train"], result["test"])


def tables(m) -> list[Table]:
    mean = lambda values: with_spread(values, 2)
    rows = [
        (name, mean(percent(r["test"])), mean(percent(r["train"])), mean(gap(r)))
        for name, r in m.items()
    ]
    head = ("network", "test accuracy, %", "training accuracy, %", GAP)
    best: dict[str, Best] = {head[1]: "highest", head[3]: "lowest"}
    accuracy = Table(head, rows, narrow=True, best=best)
    shape = next(iter(m.values()))["shape"]
    layers = fcnn.summary(network(DROPOUT), tuple(shape)).rows
    layout = [
        (row.path, "×".join(map(str, row.output)), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in layers
    ]
    return [accuracy, Table(("layer", "output", "parameters", "multiply-adds"), layout)]


def summary(config: Options, m) -> str:
    result = next(iter(m.values()))
    return (
        f"A network of two hidden layers, 128 and 64 wide, trained on {result['images']:,} images "
        f"of {result['dataset']}. Epochs: {config.epochs}; seeds: {config.seeds}."
    )


EXPERIMENT = Experiment(
    name="mnist_mlp",
    title="The textbook's multilayer perceptron: 98 % on MNIST",
    description="784-128-64-10 with and without dropout.",
    chapter="training",
    sources="LeCun et al. 1998 (networks of dense layers on MNIST); "
    "Srivastava et al. 2014 (dropout)",
    reach="One network, one optimizer and one schedule on MNIST, all of the official test "
    "images. Dropout's gap is that of this network; overfitting has a network with few "
    "images.",
    claims=(
        Claim(
            "784-128-64-10 with dropout 0.2 reaches 98 % on MNIST",
            "test accuracy − 98 %",
            "greater",
            unit="percentage points",
        ),
        Claim(
            "Dropout narrows the gap between training and test accuracy",
            "training − test accuracy, without dropout − with dropout 0.2",
            "greater",
            unit="percentage points",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"curves": curves, "confusion": confusion, "wrong": wrong},
    summary=summary,
    notes=lambda config: [
        "Accuracies are means over seeds ± one standard deviation, and are measured without "
        "dropped units.",
        "Multiply-adds are of one forward pass for one image.",
    ],
    data=lambda data: identity(data.train),
)
