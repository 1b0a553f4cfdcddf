"""The result of `fcnn.training.fit` in an experiment, if training reached its end."""

from experiments.framework import interrupt
from fcnn.training import Fit


def fitted(run: Fit) -> Fit:
    """`run`, unless it was interrupted or failed: a part with such training is not finished.

    Raises: Interrupted after a signal; FloatingPointError for a loss or parameters that are not
            finite; RuntimeError for an error in a source, a metric or a callback.
    """
    interrupt.check()
    if run.stopped == "not finite":
        raise FloatingPointError(run.message)
    if run.stopped.startswith("error in "):
        raise RuntimeError(f"{run.stopped}: {run.message}")
    return run
