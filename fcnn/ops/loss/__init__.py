"""Losses: one number per example; average over them yourself."""
