"""Neural networks as pure functions, each operator with the gradient that was derived for it by hand."""

from fcnn.ops import *  # the operators, and what chooses how they run
