"""Gradient checker: verdicts on gradients, and the mistake in a wrong gradient.

Level 2; it imports bench.
"""

from fcnn.checker.report import Report
from fcnn.checker.row import Row
from fcnn.checker.run import check

__all__ = ["Report", "Row", "check"]
