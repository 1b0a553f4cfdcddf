"""The 3×3 filter sliding over the 4×4 image of the example: products and sum of each output cell.

image   ∗   filter   =   output
nine products            their sum
"""

from itertools import product
from typing import Any

from experiments.framework.animation import Animation, Frame
from experiments.framework.experiment import Section
from experiments.windows.sizes import FILTER, IMAGE

CELL, WIDE, TALL = 30, 62, 28  # pixels: side of a cell, width and height of a product
K, N = len(FILTER), len(IMAGE) - len(FILTER) + 1  # sizes of the filter and of the output
TOP, BELOW = 20, 176  # of the image, and of the products
AT = {"image": (0, TOP), "filter": (148, TOP + 15), "output": (266, TOP + 30)}


def sections(config: Any, m: Any) -> list[Section]:
    """The section of the report, of numbers that need no measurement."""
    places = list(product(range(N), range(N)))
    titles = "".join(
        _text(x + CELL * size / 2, y - 6, name)
        for (name, (x, y)), size in zip(AT.items(), (len(IMAGE), K, N), strict=True)
    )
    signs = _text(134, TOP + 65, "∗") + _text(252, TOP + 65, "=")
    given = _grid(IMAGE, *AT["image"]) + _grid(FILTER, *AT["filter"])
    empty = _grid([[""] * N] * N, *AT["output"])
    words = _text(K * WIDE / 2, BELOW - 6, "products: image · filter")
    return [
        Animation(
            id="sliding",
            title="The filter slides over the image",
            size=(358, BELOW + K * TALL + 2),
            frames=[_frame(places[: i + 1]) for i in range(len(places))],
            background=titles + signs + given + empty + words,
            caption="At each position, the nine products of the window and the filter are added. "
            "The filter is not flipped: what networks call convolution is cross-correlation.",
            seconds=1.5,
        ).section()
    ]


def products(i: int, j: int) -> list[tuple[int, int]]:
    """The pairs whose products are added for the output cell (i, j), row by row."""
    return [(IMAGE[i + a][j + b], FILTER[a][b]) for a, b in product(range(K), range(K))]


def total(i: int, j: int) -> int:
    return sum(x * w for x, w in products(i, j))


def _frame(places: list[tuple[int, int]]) -> Frame:
    """The window at the last of the places, and the output of all of them."""
    (i, j), (x, y), (left, top) = places[-1], AT["image"], AT["output"]
    window = _marked(x + CELL * j, y + CELL * i, K) + _marked(*AT["filter"], K)
    outputs = "".join(
        _text(left + CELL * (s + 0.5), top + CELL * (r + 0.5) + 5, f"{total(r, s)}")
        for r, s in places
    )
    found = products(i, j)
    terms = "".join(
        _text(WIDE * (t % K + 0.5), BELOW + TALL * (t // K) + 19, f"{a}·{b} = {a * b}")
        for t, (a, b) in enumerate(found)
    )
    frame = _rect(1, BELOW, K * WIDE - 2, K * TALL, 'fill="#0a63b8" fill-opacity="0.12"')
    middle = BELOW + K * TALL / 2
    look = 'font-size="20" font-weight="700"'
    result = _text(K * WIDE + 26, middle + 5, "sum =")
    result += _text(K * WIDE + 62, middle + 7, f"{total(i, j)}", look)
    added = " + ".join(f"{a}·{b}" for a, b in found)
    return Frame(
        window + outputs + _marked(left + CELL * j, top + CELL * i, 1) + frame + terms + result,
        f"Row {i + 1}, column {j + 1} of the output: {added} = {total(i, j)}",
    )


def _grid(values, left: float, top: float) -> str:
    """Cells with numbers, or empty ones."""
    return "".join(
        _rect(left + CELL * s + 1, top + CELL * r + 1, CELL - 2, CELL - 2, 'fill="#f4f6f8"')
        + _text(left + CELL * (s + 0.5), top + CELL * (r + 0.5) + 5, f"{value}")
        for r, row in enumerate(values)
        for s, value in enumerate(row)
    )


def _marked(left: float, top: float, cells: int) -> str:
    side = CELL * cells
    look = 'fill="#0a63b8" fill-opacity="0.18" stroke="#0a63b8" stroke-width="2"'
    return _rect(left + 1, top + 1, side - 2, side - 2, look)


def _rect(x: float, y: float, width: float, height: float, look: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" {look}/>'


def _text(x: float, y: float, text: str, look: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" {look}>{text}</text>'
