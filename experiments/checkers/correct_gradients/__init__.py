"""Gradients that are right, where naive checkers fail: at kinks and ties, far out, in few bits."""

from experiments.checkers.correct_gradients import kinks, shapes, values

CORRECT_GRADIENTS = kinks.CORRECT_GRADIENTS + values.CORRECT_GRADIENTS + shapes.CORRECT_GRADIENTS
