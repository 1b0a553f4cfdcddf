"""Checkpoints: states of training on disk, each with a receipt that proves its bits.

    RUN/40/state/         the arrays, written by Orbax
    RUN/40/receipt.json   sums of all arrays and files, the configuration and the machine
    RUN/.saving-…         a checkpoint that is being written, until it is renamed to its step
    RUN/.deleting-…       a checkpoint that is being deleted
    RUN/40.damaged        a checkpoint that failed verification

A step is complete from the moment of its renaming. What a killed process leaves has one of the
other names, and is removed by the next run.
"""

from fcnn.training.checkpoint.keep import Keep
from fcnn.training.checkpoint.receipt import Damaged, Receipt
from fcnn.training.checkpoint.store import Checkpoints

__all__ = ["Checkpoints", "Damaged", "Keep", "Receipt"]
