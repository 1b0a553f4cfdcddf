"""What a network is made of and what it costs, counted from shapes; nothing is run."""

import math
from typing import NamedTuple

import jax

from fcnn.layers.layer import Dims, Layer, shapes


class Row(NamedTuple):
    """One layer, for one example."""

    path: str
    output: Dims
    parameters: int
    multiply_adds: int
    activation_bytes: int  # of its output


class Summary(NamedTuple):
    """The rows of a network; print it for a table."""

    input: Dims
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        head = ("layer", "output", "parameters", "multiply-adds", "activation bytes")
        lines = [(r.path, str(r.output), *map("{:,}".format, r[2:])) for r in self.rows]
        totals = (self.parameters, self.multiply_adds, self.activation_bytes)
        foot = ("total", "", *map("{:,}".format, totals))
        first = ("input", str(self.input), "", "", "")
        width = [max(map(len, column)) for column in zip(head, first, *lines, foot, strict=True)]
        rule = tuple("-" * w for w in width)

        def text(cells):
            pairs = list(zip(cells, width, strict=True))
            left, right = pairs[:2], pairs[2:]
            return "  ".join([*(c.ljust(w) for c, w in left), *(c.rjust(w) for c, w in right)])

        return "\n".join(text(cells).rstrip() for cells in (head, rule, first, *lines, rule, foot))


def summary(model: Layer, shape: Dims) -> Summary:
    """A table of `model` for one example of `shape`: print it, or read its rows.

    Shapes: `shape` is without the batch axis, as for `model.init`.
    Units:  multiply-adds of convolutions and matrix products in one forward pass; bytes of the
            outputs of all layers, which training keeps for the backward pass.
    Raises: ValueError, from the operator, if a layer cannot take its input.
    Cost:   none; shapes alone.
    """
    return Summary(tuple(shape), tuple(_rows("", model, tuple(shape))))


def _rows(path: str, layer: Layer, shape: Dims) -> list[Row]:
    if layer.parts is not None:
        inner = (
            (f"{path}/{name}".lstrip("/"), part, seen) for name, part, seen in layer.parts(shape)
        )
        return [row for name, part, seen in inner for row in _rows(name, part, seen)]
    params, _, out = shapes(layer, shape)
    size = sum(math.prod(p.shape) for p in jax.tree.leaves(params))
    item = jax.dtypes.canonicalize_dtype(float).itemsize
    return [
        Row(path or layer.name, out, size, layer.multiply_adds(shape, out), math.prod(out) * item)
    ]
