"""Sequence operators: attention, lookup by integer id, and position encodings."""
