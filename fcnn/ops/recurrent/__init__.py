"""Recurrent networks: one cell along a sequence, and back through time."""
