"""The mistake in a wrong gradient: known mistakes are tried one by one, the simple ones first."""

from fcnn.checker.diagnosis.context import Mistake
from fcnn.checker.diagnosis.diagnose import Diagnosis

__all__ = ["Diagnosis", "Mistake"]
