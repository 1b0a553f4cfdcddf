"""Implementations of convolution: one module per value of `impl`, and four shared helpers."""
