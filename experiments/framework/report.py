"""report.html: one self-contained page with claims, receipt, results, figures and configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments.framework.claim import Claim, NotJudged
from experiments.framework.command_line import again
from experiments.framework.drawn import Figure
from experiments.framework.experiment import Section
from experiments.framework.palette import variables
from experiments.framework.progress import duration
from experiments.framework.run import Run
from experiments.framework.table import Table
from experiments.framework.verdict import Verdict

PAGE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("report.html.jinja")


@dataclass(frozen=True)
class Findings:
    """Results of one run that the page shows."""

    title: str
    summary: str
    claims: Sequence[Verdict]
    judged: str  # the criterion by which claims are judged
    tables: Sequence[Table]
    notes: Sequence[str]
    figures: Sequence[Figure]
    minutes: float
    data: str = ""
    stopped: str = ""
    differences: Sequence[str] = ()  # of the claims from those that an earlier run registered
    sections: Sequence[Section] = ()
    sources: str = ""  # the literature that makes the claims
    reach: str = ""  # how far the results reach
    index: str = ""  # link to the page of all experiments


def not_judged(claims: Sequence[Claim], reason: str) -> list[Verdict]:
    """The verdict "not judged" on each claim, for one reason."""
    return [Verdict(claim, "not judged", reason, NotJudged(reason)) for claim in claims]


def report(run: Run, findings: Findings) -> str:
    """The HTML text of report.html."""
    return PAGE.render(
        f=findings,
        html=Markup,
        light=variables(dark=False),
        dark=variables(dark=True),
        command=again(run.name, run.receipt.get("options") or {}, run.config),
        receipt=receipt(run, findings),
        config=flat(run.config),
        environment=flat(run.environment),
        legend=legend(findings.tables),
    )


def legend(tables: Sequence[Table]) -> str:
    """What bold numbers and ± mean, where tables have them."""
    cells = [cell for table in tables for row in table.rows for cell in row]
    parts = {
        "Bold: the best value of a column.": any(table.marked() for table in tables),
        "±: one standard deviation over seeds.": any("±" in cell for cell in cells),
    }
    return " ".join(text for text, shown in parts.items() if shown)


def receipt(run: Run, findings: Findings) -> list[tuple[str, str]]:
    """What the results depend on, in a few lines."""
    env = run.environment
    commit = (env["commit"] or "unknown")[:12]
    versions = {"Python": env["python"], **env["packages"]}
    lines = {
        "claims like these": findings.sources,
        "how far it reaches": findings.reach,
        "run": run.started.strftime("%d %B %Y, %H:%M"),
        "measured in": duration(60 * findings.minutes),
        "commit": commit + (", with uncommitted changes" if env["uncommitted changes"] else ""),
        "device": f"{env['device']}, {env['processor']}, {env['cores']} cores",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "seeds": f"n = {run.config['seeds']}" if run.config.get("seeds") else "",
        "data": ": ".join(filter(None, (run.config.get("dataset"), findings.data))),
    }
    return [(name, value) for name, value in lines.items() if value]


def flat(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for a table of two columns."""
    pairs = []
    for name, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list | tuple):
            value = " ".join(map(str, value))
        pairs.append((name.replace("_", " "), "–" if value in (None, "") else str(value)))
    return pairs
