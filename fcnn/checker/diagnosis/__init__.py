"""What is wrong with a gradient: one mistake after the other is tried, the simple ones first."""

from fcnn.checker.diagnosis.diagnose import diagnose
from fcnn.checker.diagnosis.situation import Mistake

__all__ = ["Mistake", "diagnose"]
