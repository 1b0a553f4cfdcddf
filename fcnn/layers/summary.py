"""Table of the layers of a network, with parameters and costs, from one pass of setup."""

import math
from html import escape
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fcnn.layers.cost import TrainingCost, training_cost
from fcnn.layers.layer import Layer
from fcnn.layers.spec import planned, set_up
from fcnn.ops.validation import named, require_counts


class Row(NamedTuple):
    """Costs of one layer, for all blocks that share its path, and for the whole batch."""

    path: str
    times: int  # blocks that share the path, in `repeat`
    output: Any  # the shape of one example of y, or a pytree of shapes
    parameters: int
    state: int
    multiply_adds: int
    activation_bytes: int  # of the layer's output


class Summary(NamedTuple):
    """Rows of a network and their totals, shown as a table by print and in notebooks."""

    input: Any
    rows: tuple[Row, ...]
    training: TrainingCost | None = None

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def state(self) -> int:
        return sum(row.state for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        head, *body, foot = self._cells()
        width = [max(map(len, column)) for column in zip(head, *body, foot, strict=True)]
        rule = tuple("-" * w for w in width)

        def text(cells):
            pairs = list(zip(cells, width, strict=True))
            left, right = pairs[:2], pairs[2:]
            return "  ".join([*(c.ljust(w) for c, w in left), *(c.rjust(w) for c, w in right)])

        table = "\n".join(text(cells).rstrip() for cells in (head, rule, *body, rule, foot))
        return table if self.training is None else f"{table}\n{self.training}"

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        head, *body, foot = self._cells()
        row = lambda cells, tag: "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        rows = [row(head, "th"), *(row(cells, "td") for cells in body), row(foot, "th")]
        table = f"<table>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</table>"
        return table if self.training is None else f"{table}<p>{self.training}</p>"

    def _cells(self) -> list[tuple[str, ...]]:
        """The table as text: header, input, layers, totals. State has a column if there is any."""
        titles = {"parameters": "parameters"} | ({"state": "state"} if self.state else {})
        titles |= {"multiply_adds": "multiply-adds", "activation_bytes": "activation bytes"}
        counts = lambda of: [f"{getattr(of, column):,}" for column in titles]
        path = lambda row: row.path + (f" ×{row.times}" if row.times > 1 else "")
        return [
            ("layer", "output", *titles.values()),
            ("input", str(self.input), *("" for _ in titles)),
            *((path(row), str(row.output), *counts(row)) for row in self.rows),
            ("total", "", *counts(self)),
        ]


def summary(
    model: Layer,
    shape: Any,
    *,
    batch_size: int = 1,
    dtype: Any = None,
    cost: bool = False,
    **inputs: Any,
) -> Summary:
    """Table of a network: output, parameters, state and costs of every layer.

    Shapes: `shape` is the shape of one example, without the batch axis, as for `model.init`.
    Options:
        model: a layer.
        batch_size: number of examples that multiply-adds and bytes count.
        dtype: of x; the model's `input_dtype` if None.
        cost: whether to add the FLOP of the forward and backward pass, and the bytes that are kept
            between them.
        inputs: shapes of side inputs that setup needs.
    Units:  multiply-adds of convolutions and matrix products in one forward pass; bytes of the
            outputs of all layers; parameters and state in numbers. FLOP are those of convolutions
            and matrix products; a multiply-add counts as 2.
    Raises: ValueError from the operator if a layer cannot take its input.
    Cost:   one pass of setup is traced, and with `cost` the gradient; nothing is compiled.

    >>> print(fcnn.summary(fcnn.layers.serial(fcnn.layers.dense(4), fcnn.layers.relu()), (3,)))
    layer   output  parameters  multiply-adds  activation bytes
    ------  ------  ----------  -------------  ----------------
    input   (3,)
    dense1  (4,)            16             12                16
    relu1   (4,)             0              0                16
    ------  ------  ----------  -------------  ----------------
    total                   16             12                32
    """
    with named("summary"):
        require_counts(batch_size=batch_size)
        if not isinstance(model, Layer):
            raise TypeError(f"model {model!r:.60} is not a layer; write fcnn.models.mlp()")
    rows: dict[str, Row] = {}

    def observe(layer, plan, x, params, state, y):
        # a layer with parts has their rows, and a layer around another one has its row
        if layer.parts or plan.path in rows:
            return
        count = lambda tree: sum(math.prod(a.shape) for a in jax.tree.leaves(tree))
        size = lambda a: math.prod(a.shape[1:]) * jnp.dtype(a.dtype).itemsize
        multiply_adds = layer.multiply_adds(x, y, plan) if layer.multiply_adds else 0
        rows[plan.path] = Row(
            plan.path or layer.name,
            plan.times,
            jax.tree.map(lambda a: a.shape[1:], y),
            plan.times * count(params),
            plan.times * count(state),
            batch_size * plan.times * multiply_adds,
            batch_size * plan.times * sum(map(size, jax.tree.leaves(y))),
        )

    x, plan = planned(model, shape, dtype, inputs, batch_size, observe=observe)
    params, state, _ = set_up(model, x, plan)
    training = training_cost(model, params, state, x, plan) if cost else None
    return Summary(shape, tuple(rows.values()), training)
