"""Layers made of layers: a chain, a sum with a shortcut, and branches.

    serial(f, g)      y = g(f(x))
    residual(f)       y = x + f(x)           residual(f, shortcut)   y = shortcut(x) + f(x)
    parallel(f, g)    y = (f(x), g(x)), or their sum, or concatenated features

`params` and `state` have one entry per part. Its name is given, as in serial(stem=conv(...)), or is
the kind of the part with a number, as in {"conv1": ..., "conv2": ..., "dense1": ...}. A part
without parameters has no entry in `params`, and a part without state has no entry in `state`. Side
inputs reach every part, except that masks and lengths end at a part whose output has no positions.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.layers.call import OF_POSITIONS, Call, Given, entry, routed, without
from fcnn.layers.layer import Layer, Params, State
from fcnn.ops import Op
from fcnn.ops.validation import named, require

Parts = tuple[tuple[str, Layer], ...]


def serial(*layers: Layer | Sequence[Layer], name: str = "serial", **named_layers: Layer) -> Layer:
    """Chain of layers, each with its own key. A chain without layers is the identity.

    Shapes: the output of each layer is the input of the next.
    Options:
        layers: the layers, in order, or one list of layers; `serial` names them.
        name: name of the chain, by which an outer `serial` numbers it.
        named_layers: the layers, in order, by names of your own.
    Raises: TypeError if an argument is not a layer, or if only some layers have names.

    >>> relu, dense = fcnn.layers.relu(), fcnn.layers.dense
    >>> params, state, y = fcnn.layers.shapes(fcnn.layers.serial(dense(4), relu, dense(2)), (3,))
    >>> {name: p["w"].shape for name, p in params.items()}, y.shape
    ({'dense1': (3, 4), 'dense2': (4, 2)}, (2,))
    >>> fcnn.layers.serial(hidden=dense(4), relu=relu, logits=dense(2)).parts[0]
    ('hidden', <layer dense>)
    """
    parts = named_parts(name, layers, named_layers)

    def setup(key, x, plan):
        made = Made()
        for i, (part, layer) in enumerate(parts):
            x = made.add(part, layer.setup(jax.random.fold_in(key, i), x, plan.inside(part)))
            plan = _after(layer, plan)
        return made.params, made.state, x

    def forward(params, state, x, call):
        new_state = {}
        for i, (part, layer) in enumerate(parts):
            x = run(part, layer, params, state, x, call.inside(part, i), new_state)
            call = _after(layer, call)
        return x, new_state

    input_dtype = parts[0][1].input_dtype if parts else float
    return Layer(name, setup, forward, parts, input_dtype=input_dtype)


def residual(body: Layer, shortcut: Layer | None = None, *, name: str = "residual") -> Layer:
    """Residual connection: body(x) + shortcut(x), where the default shortcut is the identity.

    Shapes: the output of body, the output of shortcut and y have the same shape.
    Options:
        body: the layer whose output is added.
        shortcut: a layer such as a 1×1 convolution; None for the identity.
        name: name of the layer, by which an outer `serial` numbers it.
    Raises: ValueError if the two outputs differ in shape; TypeError if an argument is not a layer.
    Source: He et al., arXiv:1512.03385.

    >>> double = fcnn.layers.residual(fcnn.layers.identity())
    >>> double.apply({}, {}, jnp.array([[3.0]]))[0]
    Array([[6.]], dtype=float32)
    """
    parts = named_parts(
        name, (), {"body": body} | ({} if shortcut is None else {"shortcut": shortcut})
    )

    def setup(key, x, plan):
        made, ys = Made(), [x]
        for i, (part, layer) in enumerate(parts):
            ys += [made.add(part, layer.setup(jax.random.fold_in(key, i), x, plan.inside(part)))]
        _require_same(ys[1], ys[-1 if shortcut else 0])
        return made.params, made.state, ys[1]

    def forward(params, state, x, call):
        new_state, ys = {}, [x]
        for i, (part, layer) in enumerate(parts):
            ys += [run(part, layer, params, state, x, call.inside(part, i), new_state)]
        _require_same(ys[1], ys[-1 if shortcut else 0])
        return jax.tree.map(jnp.add, ys[-1 if shortcut else 0], ys[1]), new_state

    return Layer(name, setup, forward, parts, input_dtype=body.input_dtype)


def parallel(
    *layers: Layer | Sequence[Layer],
    combine: str = "none",
    name: str = "parallel",
    **named_layers: Layer,
) -> Layer:
    """Branches: every layer gets x. If x is a dict with the names of the layers, each its entry.

    A side input that is a dict with names of layers is distributed in the same way.

    Shapes: y is a tuple with one output per layer, or a dict if the layers have names. With
            `combine`, y is one array.
    Options:
        layers: the layers, or one list of layers; `parallel` names them.
        combine: "none"; "sum" of outputs of one shape; or "concatenate", along the last axis.
        name: name of the layer, by which an outer `serial` numbers it.
        named_layers: the layers by names of your own.
    Raises: TypeError if an argument is not a layer, or there is none; ValueError for an unknown
            `combine`, or if outputs to combine differ in shape.

    >>> model = fcnn.layers.parallel(word=fcnn.layers.embedding(9, 2), image=fcnn.layers.flatten())
    >>> params, state = model.init(jax.random.key(0), {"word": (), "image": (4, 4, 1)})
    >>> x = {"word": jnp.array([3]), "image": jnp.ones((1, 4, 4, 1))}
    >>> {name: y.shape for name, y in model.apply(params, state, x)[0].items()}
    {'word': (1, 2), 'image': (1, 16)}
    """
    parts = named_parts(name, layers, named_layers)
    names = tuple(part for part, _ in parts)
    with named(name):
        expected = ("none", "sum", "concatenate")
        require(combine in expected, f"unknown combine {combine!r}; expected one of {expected}")
        if not parts:
            raise TypeError("has no layers; write parallel(f, g)")

    def combined(ys):
        if combine == "none":
            return dict(zip(names, ys, strict=True)) if named_layers else tuple(ys)
        for y in ys:
            if not hasattr(y, "shape"):
                raise TypeError(f"an output is a {type(y).__name__}; {combine!r} needs arrays")
        axes = None if combine == "sum" else -1
        sizes = [y.shape[:axes] for y in ys]
        same = len(set(sizes)) == 1
        require(same, f"outputs {', '.join(str(y.shape) for y in ys)} do not fit {combine!r}")
        return sum(ys[1:], ys[0]) if combine == "sum" else jnp.concatenate(ys, -1)

    def setup(key, x, plan):
        made, ys = Made(), []
        for i, (part, layer) in enumerate(parts):
            own = routed(plan.inside(part), part, names)
            x_i = entry(x, part, names)
            ys += [made.add(part, layer.setup(jax.random.fold_in(key, i), x_i, own))]
        return made.params, made.state, jax.eval_shape(combined, ys)

    def forward(params, state, x, call):
        new_state, ys = {}, []
        for i, (part, layer) in enumerate(parts):
            own = routed(call.inside(part, i), part, names)
            ys += [run(part, layer, params, state, entry(x, part, names), own, new_state)]
        return combined(ys), new_state

    dtypes = {part: layer.input_dtype for part, layer in parts}
    return Layer(name, setup, forward, parts, input_dtype=dtypes)


class Made:
    """What the setups of several parts made."""

    def __init__(self):
        self.params: Params = {}
        self.state: State = {}

    def add(self, part: str, made: tuple[Params, State, Any]) -> Any:
        """Add what one setup made, and return the spec of its output."""
        params, state, y = made
        self.params |= {part: params} if params else {}
        self.state |= {part: state} if state else {}
        return y


def run(
    part: str, layer: Layer, params: Params, state: State, x: Any, call: Call, new_state: State
) -> Any:
    """The output of one part; its new state is added to `new_state`."""
    y, s = layer.forward(params.get(part, {}), state.get(part, {}), x, call)
    new_state |= {part: s} if s else {}
    return y


def named_parts(name: Any, layers: tuple, named_layers: dict[str, Any]) -> Parts:
    """(name, layer) of each part; parts without names are numbered by kind."""
    if not isinstance(name, str):
        given = f"name {name!r:.60} is not a string"
        raise TypeError(f"serial, parallel: {given}; a layer cannot have the name 'name'")
    with named(name):
        if len(layers) == 1 and isinstance(layers[0], list | tuple | Iterator):
            layers = tuple(layers[0])
        if layers and named_layers:
            raise TypeError("some layers have names and others not; name all of them, or none")
        for layer in (*layers, *named_layers.values()):
            require_layer(layer)
        for part in named_layers:
            require("/" not in part, f"the name {part!r} contains '/', which separates names")
            require(part != "", "a name is empty; write one of letters")
    count: Counter[str] = Counter()
    parts = list(named_layers.items())
    for layer in layers:
        count[layer.name] += 1
        parts.append((f"{layer.name}{count[layer.name]}", layer))
    names = Counter(part for part, _ in parts)
    twice = next((part for part, times in names.items() if times > 1), None)
    with named(name):
        require(twice is None, f"two layers get the name {twice}; write serial(name=layer, ...)")
    return tuple(parts)


def require_layer(layer: Any) -> None:
    """TypeError unless `layer` is a layer; the message shows what to write."""
    if not isinstance(layer, Layer):
        given = getattr(layer, "__name__", None)
        if isinstance(layer, Op) or getattr(layer, "__module__", "").startswith("fcnn."):
            raise TypeError(f"{given} is a function, not a layer; write layers.{given}()")
        if callable(layer) and given:
            write = f"layers.stateless({given!r}, {given})"
            raise TypeError(f"{given} is a function, not a layer; write {write}")
        if isinstance(layer, Mapping):
            raise TypeError("a dict is not a layer; write layers.serial(**layers_by_name)")
        if isinstance(layer, list | tuple):
            raise TypeError(f"a {type(layer).__name__} is not a layer; write layers.serial([...])")
        raise TypeError(f"{layer!r:.60} is not a layer; write layers.relu(), for example")


def _after(layer: Layer, given: Given) -> Given:
    """The plan or call for what follows a layer."""
    return without(given, OF_POSITIONS) if layer.positions == "removed" else given


def _require_same(y, shortcut):
    shapes = lambda tree: [a.shape for a in jax.tree.leaves(tree)]
    one, two = shapes(y), shapes(shortcut)
    require(
        one == two and jax.tree.structure(y) == jax.tree.structure(shortcut),
        f"body output {one[0] if len(one) == 1 else one} and shortcut output "
        f"{two[0] if len(two) == 1 else two} differ; "
        "write residual(body, shortcut) with a shortcut of the body's output shape",
    )
