"""Level 2: is this gradient right? By hand == autodiff == finite difference."""

from fcnn.check.gradient import Answers, WrongGradient, answers, check, judge

__all__ = ["Answers", "WrongGradient", "answers", "check", "judge"]
