"""Facts of a machine on which the bits of a result depend.

On the same CPU, with the same number of cores, versions and settings, a continued run is equal bit
for bit to one that was never interrupted. With another number of cores, for example, XLA sums in
another order.
"""

from functools import cache
from typing import Any

from fcnn.bench import machine_info
from fcnn.ops.contexts import by_hand, chosen_impls

NOT_COMPARED = ("system", "python", "uncommitted changes")


def environment() -> dict[str, Any]:
    """The facts, as a flat dict for JSON."""
    return {
        **_machine(),
        "gradients": "hand" if by_hand() else "autodiff",
        "implementations": ", ".join(f"{name}={impl}" for name, impl in chosen_impls()),
    }


@cache
def _machine():
    """The facts that do not change while a process runs; git is called for one of them."""
    facts = {k: v for k, v in machine_info().items() if k not in NOT_COMPARED}
    return facts.pop("packages") | facts


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One short text for each fact that differs, such as "cores 2 → 1"."""
    names = dict.fromkeys([*before, *now])
    shown = lambda value: "none" if value in (None, "") else f"{value}"
    return [
        f"{name} {shown(before.get(name))} → {shown(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]
