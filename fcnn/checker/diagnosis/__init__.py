"""What is wrong with a gradient: one mistake after the other is tried, the simple ones first."""

from fcnn.checker.diagnosis.context import Mistake
from fcnn.checker.diagnosis.diagnose import diagnose

__all__ = ["Mistake", "diagnose"]
