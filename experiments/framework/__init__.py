"""Shared parts of experiments: options, run folder, interruption, claims, report."""
