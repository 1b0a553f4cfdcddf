"""Correct gradients that mislead simpler checkers: at kinks and ties, at extremes, in few bits."""

from experiments.checkers.correct_gradients import kinks, shapes, values

CORRECT_GRADIENTS = kinks.CORRECT_GRADIENTS + values.CORRECT_GRADIENTS + shapes.CORRECT_GRADIENTS
