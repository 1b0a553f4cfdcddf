"""report.html: one self-contained page with claims, results, configuration and environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.framework.claim import Verdict
from experiments.framework.run import Run

PAGE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
).get_template("report.html.jinja")


@dataclass(frozen=True)
class Figure:
    """A figure for the page: inline SVG and a caption."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Findings:
    """Results of one run that the page shows."""

    title: str
    summary: str
    claims: Sequence[Verdict]
    judged: str  # the criterion by which claims are judged
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]  # columns and rows of each
    notes: Sequence[str]
    figures: Sequence[Figure]
    stopped: str = ""
    differences: Sequence[str] = ()  # of the claims from those that an earlier run registered
    index: str = ""  # link to the page of all experiments


def report(run: Run, findings: Findings) -> str:
    """The HTML text of report.html."""
    figures = [(f, Markup(f.svg[f.svg.index("<svg") :])) for f in findings.figures]
    return PAGE.render(
        f=findings,
        figures=figures,
        started=run.started.strftime("%d %B %Y, %H:%M"),
        config=flat(run.config),
        environment=flat(run.environment),
    )


def flat(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for a table of two columns."""
    pairs = []
    for name, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list | tuple):
            value = " ".join(map(str, value))
        pairs.append((name, "–" if value in (None, "") else str(value)))
    return pairs
