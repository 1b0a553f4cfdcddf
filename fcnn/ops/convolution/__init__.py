"""Convolution operators, and the implementations of their three sums."""
