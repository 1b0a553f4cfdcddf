"""Training of a convolutional, a recurrent and an attention network with batches of 64 and of 2."""

from functools import partial
from typing import Any

from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.trained import Trials
from experiments.normalization.networks import KINDS, LARGE, SMALL

RATES = {  # of Adam, in the first step; batches of 2 make 32 times as many steps
    LARGE: (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    SMALL: (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
}


def by_batch(config: Options, data: Splits, kind: str, norm: str, log: Log) -> dict[str, Any]:
    """Test accuracy by seed for each size of batch, at its best rate on validation."""
    build, norms = KINDS[kind]
    options = {"seeds": config.seeds or 0, "log": log}
    smaller = {"channels": (4,)} if config.smoke else {}  # of the CNN, the only one with --smoke
    results = {}
    for batch, rates in RATES.items():
        if config.smoke and batch == SMALL:
            continue
        model = build(partial(norms[norm], batch), data.classes, **smaller)
        label = f"{kind}, {norm}, batches of {batch}"
        found = chosen(
            Trials(model, data.train, label=label, **options),
            lambda run: run.accuracy(data.validation),
            epochs=config.epochs or 0,
            rates=rates[:1] if config.smoke else rates,
            batch_size=batch,
        )
        results[f"{batch}"] = {
            "rate": found.rate,
            "test": found.run.accuracy(data.test).tolist(),
            "steps": found.run.loss.shape[1],
        }
    return results
