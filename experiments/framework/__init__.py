"""Shared parts of experiments: record, runner, options, claims, statistics, run folder, report."""
