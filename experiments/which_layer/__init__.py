"""Which kind of layer fits which kind of data: four kinds on five data sets, with equal parameters.

Textbooks: convolution for images, recurrent for series, dense for tables, attention for text. Each
kind of layer is trained on each kind of data, with the same steps and rates. A table is read as a
sequence of its columns, an image as a sequence of its rows, where a kind of layer needs a sequence.

Command: python -m experiments which_layer --data-dir DIR
"""

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs
from experiments.framework.experiment import Experiment
from experiments.framework.files_of_data import BATCH, RATES, Files
from experiments.which_layer.columns import VOCABULARY, WORDS
from experiments.which_layer.measure import (
    data,
    measure,
    parts,
    prepare,
    scores,
    strongest,
)
from experiments.which_layer.networks import FEATURES, KINDS
from experiments.which_layer.output import FIGURES, SHOWN, tables

OTHER = "the other kind with the highest mean on validation"
CHANGED = "the other kind was chosen on test examples"
POINTS = "percentage points"


def evidence(m) -> list[Evidence]:
    found: list[Evidence] = []
    for name, shown in SHOWN.items():
        measured = scores(m, name)
        if missing := [kind for kind in KINDS if kind not in measured]:
            found.append(NotJudged(f"{missing[0]} was not trained on {name}"))
        else:
            other = strongest(m, name, shown.choice)
            found.append(Pairs(measured[shown.choice], measured[other]))
    return found


EXPERIMENT = Experiment(
    name="which_layer",
    title="Dense, convolutional, recurrent and attention layers on images, series, tables and text",
    chapter="layers",
    sources="LeCun et al. 1998 (images); Hochreiter & Schmidhuber 1997 (series); Kim 2014 "
    "(convolution on text); Vaswani et al. 2017 (text); Goodfellow, Bengio & Courville 2016, Deep "
    "Learning, chapters 6, 9 and 10",
    reach="One small data set and one split of each kind: pairs are training runs, so a verdict is "
    "about this data set and split. By default networks have about 2,000 parameters and are "
    "trained for about 600 steps, without pretraining, augmentation or dropout; larger ones are "
    "not covered.",
    claims=(
        Claim(
            "On images (digits), convolution has a higher test accuracy than the other "
            "kind that is best on validation",
            f"test accuracy, convolution − {OTHER}",
            unit=POINTS,
            changed=CHANGED,
        ),
        Claim(
            "On a series (oil temperature), LSTM has a lower forecast error than the other "
            "kind that is best on validation",
            "log2 of the mean absolute error on the test part, the other kind with the lowest mean "
            "on validation − LSTM",
            unit="doublings",
            changed=CHANGED,
        ),
        Claim(
            "On a table with classes (breast cancer), dense has a higher test accuracy than the "
            "other kind that is best on validation",
            f"test accuracy, dense − {OTHER}",
            unit=POINTS,
            changed=CHANGED,
        ),
        Claim(
            "On a table with values (diabetes), dense has a higher R² than the other "
            "kind that is best on validation",
            f"R² on the test examples, dense − {OTHER}",
            unit=POINTS,
            changed=CHANGED,
        ),
        Claim(
            "On text (SMS spam), attention has a higher balanced accuracy than the other "
            "kind that is best on validation",
            f"balanced test accuracy, attention − {OTHER}",
            unit=POINTS,
            changed=CHANGED,
        ),
    ),
    config=Files,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures=FIGURES,
    summary=lambda config, m: (
        f"Four kinds of layer with about {config.parameters:,} parameters on five kinds of data, "
        f"trained with {config.seeds} seeds each."
    ),
    notes=lambda config: [
        *(["--smoke reads no file: its messages are generated."] if config.smoke else []),
        "A claim compares the textbook's choice with one other kind: that with the best mean over "
        "seeds on validation. The choice is not compared with the others.",
        "Dense: one hidden layer with relu; text is the mean of its embedded words. Convolution: "
        "two layers of 3×3 or 3 taps with relu, with max pooling for images and series; for text "
        "one layer and the maximum over words. LSTM: one layer, dense of the last state; recurrent "
        "weights start orthogonal, the bias of the forget gate at 1. Attention: one Transformer "
        "block of width 12 with 2 heads and sines of the positions; the mean over positions, for "
        "the series the last one.",
        "Steps of LSTM and attention: rows of an image, hours, columns of a table, words. A table "
        "is standardized by its training examples. R² is 1 − squared error / that of the mean.",
        f"A message is its first {WORDS} words and punctuation marks, of a vocabulary of "
        f"{VOCABULARY:,} ids from the training messages. Dense, LSTM and attention leave out the "
        "padding after them, half of the ids; convolution reads it, as in Kim 2014. Each network "
        f"embeds ids with {FEATURES} trained features, {VOCABULARY * FEATURES:,} parameters, which "
        "the others do not include.",
        "Each message once: 403 repeated ones are left out. 13 % of the messages are spam: "
        "balanced accuracy is the mean of the accuracies of both classes.",
        "Oil temperature: ETTh1, windows of 48 hours, the next 24 hours, split by time as in the "
        "experiment forecasting. Its error is the mean over windows and hours.",
        f"Each network has {config.parameters:,} parameters within 10 %. Training: Adam, about "
        f"{config.steps:,} steps of {BATCH} examples, and at least one pass. The learning rate, of "
        f"{', '.join(f'{rate:g}' for rate in RATES)}, has the best mean score on validation.",
    ],
    data=data,
)
