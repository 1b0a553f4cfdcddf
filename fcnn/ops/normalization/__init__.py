"""Normalization: subtract a mean, divide by a deviation."""
