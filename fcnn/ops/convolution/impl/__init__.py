"""Implementations of convolution: one module per value of `impl`, and three shared helpers."""
