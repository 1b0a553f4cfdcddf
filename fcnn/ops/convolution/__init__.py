"""Convolution: the operators, and the programs that compute their three sums."""
