"""Mutants: gradients with one mistake each, typical of derivation and coding by hand."""

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
