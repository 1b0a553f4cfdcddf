"""Correct gradients that mislead simpler checkers: kinks, ties, extreme values, low precision."""

from experiments.checkers.correct_gradients import kinks, shapes, values

CORRECT_GRADIENTS = kinks.CORRECT_GRADIENTS + values.CORRECT_GRADIENTS + shapes.CORRECT_GRADIENTS
