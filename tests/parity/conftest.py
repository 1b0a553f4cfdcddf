"""Parity with torch, flax and the other peers. If a peer is missing, no test here is collected."""

from importlib.util import find_spec

PEERS = ("torch", "flax", "haiku", "equinox", "keras")
collect_ignore_glob = [] if all(map(find_spec, PEERS)) else ["test_*.py"]
