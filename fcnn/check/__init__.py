"""Level 2: is this gradient right? By hand == autodiff == finite difference."""

from fcnn.check.gradient import WrongGradient, check

__all__ = ["WrongGradient", "check"]
