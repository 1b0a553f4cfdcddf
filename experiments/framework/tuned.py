"""The choice of a learning rate on validation images, which are neither trained on nor tested."""

from collections.abc import Sequence

from experiments.framework.trained import Trained, Trials
from fcnn.data import Images

RATES = (2e-3, 6e-3, 2e-2)  # of adam; 6e-2 is worse on validation in pooling, gap and windows


def tuned(
    trials: Trials, validation: Images, *, epochs: int, rates: Sequence[float] = RATES
) -> tuple[float, Trained]:
    """The rate with the highest mean accuracy on `validation`, and the network trained with it."""
    runs = {rate: trials.train(epochs=epochs, rate=rate) for rate in rates}
    scores = {rate: run.accuracy(validation).mean() for rate, run in runs.items()}
    rate = max(scores, key=scores.__getitem__)
    return rate, runs[rate]
