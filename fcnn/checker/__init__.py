"""Level 2, on bench: is this gradient right, and if not, what is wrong with it?"""

from fcnn.checker.report import Report, Row
from fcnn.checker.run import check

__all__ = ["Report", "Row", "check"]
