"""Parity with torch and flax. Where they are not installed, nothing here is collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") and find_spec("flax") else ["test_*.py"]
