"""Training with every number of images and with every factor, then evaluation."""

import dataclasses
from collections.abc import Generator, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.framework.experiment import Log, Part
from experiments.framework.images import framed, loaded
from experiments.framework.options import Options, with_epochs
from experiments.framework.trained import Trained, Trials
from experiments.overfitting.calibration import calibration
from experiments.overfitting.dropout_scale import correct_scales
from experiments.overfitting.factors import FACTORS, RATE, Factor, dense_network, networks
from fcnn.data import Dataset, Images, split

SCALE = "scale of dropout"
SIZES = {"digits": (50, 100, 200, 400, 800)}
BATCH, NOISE, SHIFT = 50, 0.3, 2
REMOVED = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # shares of hidden units
DRAWS = 5  # of removed units
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class Prepared(NamedTuple):
    """Images with a frame of background where shifts would cut off the digit."""

    data: Dataset
    train: Images
    validation: Images


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=3)
    data, frame = loaded(config), SHIFT if config.dataset == "digits" else 0
    data = data._replace(train=framed(data.train, frame), test=framed(data.test, frame))
    return config, Prepared(data, *split(data.train, 0.2))


def parts(config: Options, prepared: Prepared) -> list[Part]:
    chosen = {"dropout": FACTORS["dropout"]} if config.smoke else FACTORS
    factors = [Part(name, factor, len(factor.strengths)) for name, factor in chosen.items()]
    by_images = [Part("dense by images", "dense", 3), Part("conv by images", "conv", 30)]
    return [Part(SCALE, cost=0.1), *factors, *([] if config.smoke else by_images)]


def measure(
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    trainer = Trainer(config, prepared, log)
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == SCALE:
            yield part.name, correct_scales()
        elif part.name in FACTORS:
            yield part.name, trainer.factor(part.name, part.payload)
        else:
            yield part.name, trainer.by_images(part.payload)


class Trainer:
    """Training on the training images; networks without a factor share one program."""

    def __init__(self, config: Options, prepared: Prepared, log: Log):
        self.config, self.prepared, self.log = config, prepared, log
        self.n, self.classes = len(prepared.train.y), len(prepared.data.classes)
        self.hidden, self.conv = networks(prepared.train.x.shape[1:], self.classes)
        self.plain = cache(lambda: self._trials("dense", dense_network(self.hidden, self.classes)))

    def factor(self, name: str, factor: Factor) -> dict[str, Any]:
        """Results with the strength that has the best validation accuracy, the mean over seeds."""
        strengths = factor.strengths[:1] if self.config.smoke else factor.strengths
        runs = {}
        for s in strengths:
            network, training = factor.network(s), factor.training(s)
            if network or training:
                model = dense_network(self.hidden, self.classes, **network)
                trials = self._trials(f"{name} {s:g}", model, **training)
            else:
                trials = self.plain()
            runs[s] = self._train(trials, factor.images, factor.share(s))
        held_out = self.prepared.validation
        validation = {s: float(run.accuracy(held_out).mean()) for s, run in runs.items()}
        best = max(validation, key=validation.__getitem__)
        run, test = runs[best], self.prepared.data.test
        shifted = [run.accuracy(test, (SHIFT * i, SHIFT * j)) for i, j in DIRECTIONS]
        return {
            "dataset": self.prepared.data.name,
            "strengths": list(strengths),
            "validation": list(validation.values()),
            "best": best,
            **accuracies(run, test),
            "noisy": run.accuracy(noisy(test)).tolist(),
            "shifted": np.mean(shifted, 0).tolist(),
            "removed": [without_units(run, share, test) for share in REMOVED],
            "calibration": calibration(run.outputs(test.x), test.y),
        }

    def by_images(self, kind: str) -> dict[str, Any]:
        """Accuracies by number of training images, the last of which is all of them."""
        trials = self.plain() if kind == "dense" else self._trials(kind, self.conv)
        few = SIZES.get(self.prepared.data.name, (100, 1000, 10000))
        test = self.prepared.data.test
        runs = {n: self._train(trials, n) for n in (*few, self.n)}
        each = [accuracies(run, test) for run in runs.values()]
        last = calibration(runs[self.n].outputs(test.x), test.y)
        return {"images": list(runs), "accuracies": each, "calibration": last}

    def _trials(self, label, model, **options) -> Trials:
        seeds, train = self.config.seeds or 0, self.prepared.train
        return Trials(model, train, seeds=seeds, log=self.log, label=label, margin=SHIFT, **options)

    def _train(self, trials: Trials, images: int, share: float = 1.0) -> Trained:
        """As many steps as passes over all images take, or a share of them."""
        steps = share * (self.config.epochs or 0) * (self.n // BATCH)
        epochs = max(1, round(steps / (images // BATCH)))
        return trials.train(epochs=epochs, rate=RATE, batch_size=BATCH, subset=images)


def accuracies(run: Trained, test: Images) -> dict[str, list[float]]:
    return {"test": run.accuracy(test).tolist(), "train": run.train_accuracy().tolist()}


def noisy(images: Images) -> Images:
    noise = NOISE * np.random.default_rng(0).standard_normal(images.x.shape, np.float32)
    return Images(images.x + noise, images.y)


def without_units(run: Trained, share: float, test: Images) -> list[float]:
    """Accuracy of each seed after `share` of the hidden units are removed, the mean of draws."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS if share else 1):
        params = jax.tree.map(np.array, run.params)
        for name in ("dense2", "dense3", "dense4"):  # a hidden unit is a row of the next weights
            rows = params[name]["w"].shape[1]
            params[name]["w"][:, rng.permutation(rows)[: round(share * rows)]] = 0
        train_state = run.train_state._replace(params=params)
        found.append(dataclasses.replace(run, train_state=train_state).accuracy(test))
    return np.mean(found, 0).tolist()
