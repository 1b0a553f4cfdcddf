"""`fcnn train`: from a command line to a trained model, and what its checkpoints are read for.

options, plan     the command line → data, model, recipe, folder
train             the run, with its lines, signals and exit codes
trained, results  a model from a checkpoint, its test and report
"""

from fcnn.cli.train.command import add_to

__all__ = ["add_to"]
