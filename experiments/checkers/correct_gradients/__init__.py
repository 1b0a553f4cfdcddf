"""Gradients that are right, where naive checkers fail: at kinks and ties, far out, in few bits."""

from experiments.checkers.correct_gradients import kinks, shapes, values

RIGHTS = kinks.RIGHTS + values.RIGHTS + shapes.RIGHTS
