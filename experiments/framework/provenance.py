"""Whether all parts of a run, also those of runs that it continues, have one commit and machine."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ENVIRONMENT = {
    "commit": str | None,
    "uncommitted changes": bool,
    "device": str,
    "processor": str,
    "python": str,
    "packages": dict,
}
Environment = Mapping[str, Any]


def require_one(environments: Sequence[Environment]) -> None:
    """Raise ValueError if a run had uncommitted changes, or if runs differ; the first one is first.

    >>> here = {"device": "cpu × 1", "processor": "A", "python": "3.11.7", "packages": {"jax": "1"}}
    >>> here |= {"commit": "abcdef0", "uncommitted changes": False}
    >>> require_one([here, here | {"commit": "1234567"}])
    Traceback (most recent call last):
    ValueError: has parts of other runs: commit abcdef0 → 1234567; run it again without --continue
    """
    for each in environments:
        if each["uncommitted changes"] or not each["commit"]:
            on = f"on commit {(each['commit'] or 'unknown')[:7]}"
            raise ValueError(
                f"has parts of uncommitted changes {on}; commit them, and run it again"
            )
    found = [_facts(each) for each in environments]
    names = _distinct(name for each in found for name in each)
    values = {name: _distinct(each.get(name, "none") for each in found) for name in names}
    differ = [f"{name} {' → '.join(each)}" for name, each in values.items() if len(each) > 1]
    if differ:
        what = f"has parts of other runs: {', '.join(differ)}"
        raise ValueError(f"{what}; run it again without --continue")


def _facts(each: Environment) -> dict[str, str]:
    found = {"commit": each["commit"][:7], "device": each["device"]}
    found |= {"processor": each["processor"], "python": each["python"]}
    return found | {name: f"{version}" for name, version in each["packages"].items()}


def _distinct(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]
