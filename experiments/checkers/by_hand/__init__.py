"""Backward passes written by hand from textbooks, courses and bug reports."""
