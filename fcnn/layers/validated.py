"""Validation around setup and forward: what a layer takes, and what its functions return."""

from collections.abc import Callable, Mapping
from typing import Any

from fcnn.layers.call import PADDING
from fcnn.layers.errors import (
    located,
    one_array,
    require_arrays,
    require_names,
    require_state,
)
from fcnn.ops.validation import named, require

POSITIONS = ("each", "mixed", "removed")
OWN = {"key", "train"}  # options of `Layer.apply`, which no side input can be called


def require_facts(layer: Any) -> None:
    """Raise an error unless the fields of a layer have the right kinds."""
    if not isinstance(layer.name, str):
        raise TypeError(f"layer: name {layer.name!r:.60} must be a string")
    with named(layer.name):
        for field in ("reads", "parameters", "state"):
            names = getattr(layer, field)
            if isinstance(names, str):
                raise TypeError(f"{field} {names!r} must be a tuple; write ({names!r},)")
        known = layer.positions in POSITIONS
        require(known, f"unknown positions {layer.positions!r}; expected one of {POSITIONS}")
        if own := sorted(OWN & set(layer.reads)):
            raise ValueError(f"reads {own[0]}, which is an option of apply: call.{own[0]} has it")


def validated_setup(layer: Any, setup: Callable) -> Callable:
    """`setup` with an error for wrong input or output, and with `plan.observe`."""

    def validated(key, x, plan):
        with located(plan.path), named(layer.name):
            decodes = bool(layer.parts) or layer.decodes or layer.positions == "each"
            if plan.cache is not None and not decodes:
                raise TypeError("reads a whole sequence, so this model cannot decode by steps")
            write = lambda name: f"write model.init(key, shape, {name}=shape_of_one_example)"
            with one_array(layer.parts, x), _side_input(layer, plan, write):
                made = setup(key, x, plan)
            params, state, y = _returned(made, 3, "setup", "params, state, y")
            if layer.parameters is not None and set(params) != set(layer.parameters):
                names = ", ".join(params) or "none"
                declared = ", ".join(layer.parameters) or "none"
                raise ValueError(f"init made the parameters {names}, but parameters has {declared}")
        if plan.observe is not None:
            plan.observe(layer, plan, x, params, state, y)
        return params, state, y

    return validated


def validated_forward(layer: Any, forward: Callable) -> Callable:
    """`forward` with an error for wrong parameters, state, input or output; `call.observe`."""

    def validated(params, state, x, call):
        with located(call.path), named(layer.name):
            if layer.parts:
                names = {name for name, _ in layer.parts}
                require_names(params, names, call.path)
                require_names(state, names, call.path, what="state")
            else:
                unread = sorted(PADDING & call.inputs.keys() - set(layer.reads))
                if unread and layer.positions != "each":
                    raise TypeError(_refused(layer, unread))
                require_arrays({k: a for k, a in call.inputs.items() if k in layer.reads})
                require_names(params, layer.parameters, call.path, all_of_them=True)
                require_state(state, layer.state)
            write = lambda name: f"write model.apply(..., {name}={name})"

            def run(x):
                with one_array(layer.parts, x), _side_input(layer, call, write):
                    made = forward(params, state, x, call)
                return _returned(made, 2, "forward", "y, state")

            return run(x) if call.observe is None else call.observe(layer, call, run, x)

    return validated


class _side_input:
    """Context that turns the KeyError of a missing side input or parameter into a ValueError."""

    def __init__(self, layer: Any, given: Any, write: Callable[[str], str]):
        self.layer, self.given, self.write = layer, given, write

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, KeyError) or self.layer.parts or not error.args:
            return
        name = error.args[0]
        if name in set(self.layer.reads) - self.given.inputs.keys():
            raise ValueError(f"no input {name}; {self.write(name)}") from None
        if self.layer.parameters is None:
            write = "write params, state = model.init(key, shape)"
            raise ValueError(f"no parameter or state {name!r}; {write}") from None


def _returned(made: Any, n: int, function: str, what: str) -> Any:
    """What a function of a layer returned, if it is a tuple of n with a dict where state is."""
    if not (isinstance(made, tuple) and len(made) == n and isinstance(made[1], Mapping)):
        kind = type(made).__name__
        raise TypeError(
            f"{function} returned a {kind}; it must return {what}, with a dict of state"
        )
    return made


def _refused(layer, unread):
    does = "removes" if layer.positions == "removed" else "mixes"
    others = f"; it reads {', '.join(sorted(layer.reads))}" if layer.reads else ""
    return f"{does} positions and does not read {' or '.join(unread)}{others}"


def require_state_of(
    required: Mapping[str, tuple[str, ...]], made: Any, state: Mapping[str, Any]
) -> None:
    """ValueError unless `state` has what each layer requires, and nothing that setup does not make.

    Options:
        required: path of each layer -> names that its state must have.
        made: the state that setup makes.
    """
    _require_known(made, state, "")
    for path, names in required.items():
        own: Any = state
        for part in filter(None, path.split("/")):
            own = own.get(part, {})
        with located(path):
            require_state(own, names)


def _require_known(made, state, path):
    if isinstance(state, Mapping):
        require_names(state, set(made) if isinstance(made, Mapping) else (), path, what="state")
        for name, part in state.items():
            _require_known(made[name], part, f"{path}/{name}" if path else name)
