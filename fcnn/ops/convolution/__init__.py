"""Convolution operators. `impl/` has their implementations."""
