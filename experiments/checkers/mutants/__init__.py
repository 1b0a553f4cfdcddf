"""Mutants: gradients with one mistake each, as derivation and coding by hand produce them."""

from experiments.checkers.mutants import (
    activation,
    affine,
    attention,
    convolution,
    indexing,
    kernels,
    loss,
    normalization,
    pooling,
    recurrent,
    stochastic,
)

MUTANTS = (
    *activation.MUTANTS,
    *affine.MUTANTS,
    *convolution.MUTANTS,
    *kernels.MUTANTS,
    *pooling.MUTANTS,
    *normalization.MUTANTS,
    *recurrent.MUTANTS,
    *attention.MUTANTS,
    *loss.MUTANTS,
    *stochastic.MUTANTS,
    *indexing.MUTANTS,
)
