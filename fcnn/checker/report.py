"""The report of a check: a row for each leaf, as text, as HTML or as JSON."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fcnn.bench import Cost
from fcnn.checker import html_report
from fcnn.checker.row import COSTS, HEAD, Row, cells_of, cells_of_cost, columns, name

FORMAT = 1  # version of to_json; increased if a key is renamed, removed or gets another meaning


@dataclass(frozen=True)
class Report:
    """The result of `fcnn.check`. Print it, or show it in a notebook.

    ok:          whether every gradient is right, or a valid choice at a kink.
    rows:        one `Row` per leaf: its verdict, error, worst entry, mistake and sentence.
    costs:       seconds, FLOP and bytes of the backward passes, by problem.
    notes:       warnings, by problem; a note has one or more lines.
    environment: version of jax, device, matmul precision and seed.
    interrupted: after Ctrl-C, how much was checked, as in "after 3 of 12 gradients of loss".

    >>> x = jnp.array([0.5, -1.0, 2.0])
    >>> report = fcnn.check(jnp.sin, (x,), backward=lambda x, dy: (-dy * jnp.cos(x),), cost=False)
    >>> [(row.leaf, row.verdict, row.mistake) for row in report.rows]
    [('x', 'wrong', 'constant factor')]
    """

    rows: tuple[Row, ...]
    costs: dict[str, list[Cost]]
    notes: dict[str, str]
    environment: dict[str, Any]
    interrupted: str = ""

    @property
    def ok(self) -> bool:
        return not self.interrupted and all(row.ok for row in self.rows)

    def to_json(self) -> str:
        """The report as a JSON object; numbers that are not finite are strings: "inf", "nan".

        A complex number is the list of its real and imaginary part.

        Its keys are `format` (1), `ok`, `interrupted`, `rows`, `costs`, `notes` and `environment`.
        A row has the fields of `Row` except `map`; a cost has the fields of `fcnn.bench.Cost`.
        """
        rows = [{k: v for k, v in vars(row).items() if k != "map"} for row in self.rows]
        costs = {problem: [c._asdict() for c in each] for problem, each in self.costs.items()}
        report = {"format": FORMAT, "ok": self.ok, "interrupted": self.interrupted, "rows": rows}
        report |= {"costs": costs, "notes": self.notes, "environment": self.environment}
        return json.dumps(_finite(report), indent=2, allow_nan=False)

    def to_html(self) -> str:
        """The report as one self-contained page."""
        return html_report.page(*self._content)

    def _repr_html_(self) -> str:
        """The report in a notebook."""
        return html_report.section(*self._content)

    @property
    def _content(self):
        return self.rows, self.costs, self.notes, self.environment, self.interrupted

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for i, problem in enumerate(dict.fromkeys(row.problem for row in self.rows)):
            rows = [row for row in self.rows if row.problem == problem]
            yield from [""] * bool(i) + [problem]
            yield from _indented(columns(HEAD, *map(cells_of, rows)))
            yield from (f"  {name(row)}: {row.says}" for row in rows if row.says)
            yield from _indented(self.notes.get(problem, "").splitlines())
            yield from _indented(columns(COSTS, *map(cells_of_cost, self.costs.get(problem, []))))


def _indented(lines):
    return [f"  {line}" for line in lines]


def _finite(value):
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_finite, value))
    if isinstance(value, complex):
        return [_finite(value.real), _finite(value.imag)]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
