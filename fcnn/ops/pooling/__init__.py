"""Pooling and resizing: a grid read at fewer places, or at more."""
