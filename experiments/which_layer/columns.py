"""Kinds of data: training, validation and test examples of each, and the score of outputs.

    digits           8×8 images            test accuracy, %
    oil temperature  48 hours → 24 hours   log2 of error of the seasonal naive forecast / error
    breast cancer    30 columns → class    test accuracy, %
    diabetes         10 columns → value    R², %
    SMS spam         40 words → class      balanced accuracy, %

A higher score is better. Oil temperature is split by time, the others at random: digits as in
`fcnn.data`, the others with a fifth for test and a fifth for validation.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fcnn
from experiments.framework.files_of_data import Files, found, lines_of
from experiments.framework.forecasts import OIL, Windows, read
from fcnn.data import DataError, Images, load, split, text
from fcnn.data.series import Scaling

WORDS, VOCABULARY = 40, 1000  # words of a message, and ids of the vocabulary
LABELS, FEWEST = ("ham", "spam"), 10  # of messages: 0 and 1; and messages of each label
Arrays = tuple[np.ndarray, np.ndarray]  # x and y
Score = Callable[[np.ndarray], np.ndarray]  # outputs (seeds, n, o) -> (seeds,)


class Examples(NamedTuple):
    x: np.ndarray
    score: Score


class Column(NamedTuple):
    """One kind of data. `form` is "image", "series", "table" or "text"."""

    form: str
    train: Images
    validation: Examples
    test: Examples
    outputs: int
    loss: Callable[..., Any] = fcnn.softmax_cross_entropy


def accuracy(y: np.ndarray) -> Score:
    """Correct predictions, in percent."""
    return lambda outputs: 100 * (outputs.argmax(-1) == y).mean(1)


def balanced_accuracy(y: np.ndarray) -> Score:
    """The mean over classes of the correct predictions of a class, in percent."""
    of = lambda correct, label: correct[:, y == label].mean(1)
    return lambda outputs: (
        100 * np.mean([of(outputs.argmax(-1) == y, label) for label in np.unique(y)], axis=0)
    )


def r_squared(y: np.ndarray) -> Score:
    """100 (1 - squared error / squared error of the mean of y), in percent. Shapes: y (n, 1)."""
    total = ((y - y.mean()) ** 2).sum()
    return lambda outputs: 100 * (1 - ((outputs - y) ** 2).sum((1, 2)) / total)


def against_naive(windows: Windows) -> Score:
    """log2 of the mean absolute error of the seasonal naive forecast / that of the outputs."""
    return lambda outputs: np.log2(windows.naive_error / windows.errors(outputs))


def digits(config: Files) -> Column:
    original = load("digits")
    return _column("image", [*split(original.train), original.test], accuracy, 10)


def oil(config: Files) -> Column:
    train, validation, test = read(OIL, config)
    scored = lambda windows: Examples(windows.examples.x, against_naive(windows))
    examples = train.examples, scored(validation), scored(test)
    return Column("series", *examples, OIL.horizon, fcnn.mean_squared_error)


def cancer(config: Files) -> Column:
    from sklearn.datasets import load_breast_cancer

    x, y = map(np.asarray, load_breast_cancer(return_X_y=True))
    return _column("table", _standardized(_three(x, y.astype(np.int32))), accuracy, 2)


def diabetes(config: Files) -> Column:
    from sklearn.datasets import load_diabetes

    x, y = map(np.asarray, load_diabetes(return_X_y=True, scaled=False))
    parts = _three(x, y[:, None])
    scaling = Scaling.fit(parts[0][1])
    parts = [(x, scaling.apply(y).astype(np.float32)) for x, y in parts]
    return _column("table", _standardized(parts), r_squared, 1, fcnn.mean_squared_error)


def spam(config: Files) -> Column:
    texts, labels = _messages(config)
    parts = _three(np.arange(len(labels)), labels)
    words = text.words([texts[i] for i in parts[0][0]], size=VOCABULARY)
    ids = lambda rows: [words.encode(texts[i]) for i in rows]
    x = lambda rows: text.padded(ids(rows), length=WORDS, truncate=True)["x"]
    return _column("text", [(x(rows), y) for rows, y in parts], balanced_accuracy, 2)


COLUMNS: dict[str, Callable[[Files], Column]] = {
    "digits": digits,
    "oil temperature": oil,
    "breast cancer": cancer,
    "diabetes": diabetes,
    "SMS spam": spam,
}


def _column(
    form: str, parts: Sequence[Arrays], score: Callable[[np.ndarray], Score], *rest: Any
) -> Column:
    """A column of training, validation and test examples (x, y)."""
    train, *others = parts
    validation, test = (Examples(x, score(y)) for x, y in others)
    return Column(form, Images(*train), validation, test, *rest)


def _three(x: np.ndarray, y: np.ndarray) -> list[Arrays]:
    """Training, validation and test examples, at random."""
    rest, test = split((x, y), 0.2)
    train, validation = split(rest, 0.25)
    return [train, validation, test]


def _standardized(parts: Sequence[Arrays]) -> list[Arrays]:
    """Columns with mean 0 and standard deviation 1 on the training part, which is the first."""
    scaling = Scaling.fit(parts[0][0])
    return [(scaling.apply(x).astype(np.float32), y) for x, y in parts]


def _messages(config: Files) -> tuple[list[str], np.ndarray]:
    """Messages, each once, and 1 for spam; a few generated ones with --smoke."""
    if config.smoke:
        lines = [f"{('ham', 'spam')[i % 2]}\tword{i % 2} word{i}" for i in range(100)]
        return _labelled(Path(), lines)
    path = found("SMSSpamCollection", config.data_dir)
    return _labelled(path, lines_of(path))


def _labelled(path: Path, lines: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Messages, and 1 for spam. A repeated message could be in training and in test."""
    pairs = {i: line.partition("\t") for i, line in enumerate(lines, start=1) if line}
    for i, (label, tab, _) in pairs.items():
        if label not in LABELS or not tab:
            what = f"line {i} does not begin with ham or spam and a tab"
            raise DataError(f"{path}: {what}; write the original file again")
    once = list(dict.fromkeys(pairs.values()))
    y = np.array([LABELS.index(label) for label, _, _ in once], np.int32)
    if missing := [label for k, label in enumerate(LABELS) if (y == k).sum() < FEWEST]:
        what = f"has fewer than {FEWEST} messages of {missing[0]}"
        raise DataError(f"{path}: {what}; write the original file again")
    return [text for _, _, text in once], y
