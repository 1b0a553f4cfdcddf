"""Table of the layers of a network, with parameters and costs, computed from shapes alone."""

import math
from html import escape
from typing import NamedTuple

import jax

from fcnn.layers.layer import Dims, Layer, shapes


class Row(NamedTuple):
    """Costs of one layer, for one example."""

    path: str
    output: Dims
    parameters: int
    multiply_adds: int
    activation_bytes: int  # of the layer's output


class Summary(NamedTuple):
    """Rows of a network and their totals, shown as a table by print and in notebooks."""

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
        head, *body, foot = self._cells()
        width = [max(map(len, column)) for column in zip(head, *body, foot, strict=True)]
        rule = tuple("-" * w for w in width)

        def text(cells):
            pairs = list(zip(cells, width, strict=True))
            left, right = pairs[:2], pairs[2:]
            return "  ".join([*(c.ljust(w) for c, w in left), *(c.rjust(w) for c, w in right)])

        return "\n".join(text(cells).rstrip() for cells in (head, rule, *body, rule, foot))

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        head, *body, foot = self._cells()
        row = lambda cells, tag: "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        rows = [row(head, "th"), *(row(cells, "td") for cells in body), row(foot, "th")]
        return f"<table>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</table>"

    def _cells(self) -> list[tuple[str, ...]]:
        """The table as text: header, input, layers, totals."""
        head = ("layer", "output", "parameters", "multiply-adds", "activation bytes")
        rows = [(r.path, str(r.output), *map("{:,}".format, r[2:])) for r in self.rows]
        totals = (self.parameters, self.multiply_adds, self.activation_bytes)
        foot = ("total", "", *map("{:,}".format, totals))
        return [head, ("input", str(self.input), "", "", ""), *rows, foot]


def summary(model: Layer, shape: Dims) -> Summary:
    """Table of a network for one example: output, parameters and costs of every layer.

    Shapes: `shape` is the shape of one example, without the batch axis, as for `model.init`.
    Options:
        model: a layer.
    Units:  multiply-adds of convolutions and matrix products in one forward pass; bytes of the
            outputs of all layers, which training keeps for the backward pass.
    Raises: ValueError from the operator if a layer cannot take its input.
    Cost:   tracing; nothing is computed.

    >>> print(fcnn.summary(fcnn.layers.serial(fcnn.layers.dense(4), fcnn.layers.relu()), (3,)))
    layer   output  parameters  multiply-adds  activation bytes
    ------  ------  ----------  -------------  ----------------
    input   (3,)
    dense1  (4,)            16             12                16
    relu1   (4,)             0              0                16
    ------  ------  ----------  -------------  ----------------
    total                   16             12                32
    """
    return Summary(tuple(shape), tuple(_rows("", model, tuple(shape))))


def _rows(path: str, layer: Layer, shape: Dims) -> list[Row]:
    if layer.parts is not None:
        within = lambda name: f"{path}/{name}".lstrip("/")
        return [row for p in layer.parts(shape) for row in _rows(within(p.name), p.layer, p.shape)]
    params, _, out = shapes(layer, shape)
    parameters = sum(math.prod(p.shape) for p in jax.tree.leaves(params))
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    return [
        Row(
            path or layer.name,
            out,
            parameters,
            layer.multiply_adds(shape, out),
            math.prod(out) * itemsize,
        )
    ]
