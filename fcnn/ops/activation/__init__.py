"""Activations: a bend for every layer."""
