"""index.html: one page with all experiments of `python -m experiments all`, by chapter."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from experiments.framework.context import Context
from experiments.framework.experiment import CHAPTERS, Command, Record
from experiments.framework.kept import default_data
from experiments.framework.palette import variables
from experiments.framework.report import PAGE as REPORT

TEMPLATE = REPORT.environment.get_template("site.html.jinja")
INDEX = "../../index.html"  # from NAME/TIME/report.html
NO_DATA = "no data set"


class Shown(NamedTuple):
    """A claim on the page; the evidence is empty where the entry's error is the reason."""

    verdict: str
    text: str
    evidence: str


@dataclass(frozen=True)
class Entry:
    """An experiment on the page.

    Attributes:
        link: the report, relative to the page; empty if there is none.
        error: one line.
    """

    name: str
    title: str
    chapter: str
    data: str
    claims: Sequence[Shown]
    duration: str = ""
    link: str = ""
    error: str = ""


def broken(name: str, error: ImportError) -> Entry:
    """An experiment that cannot be imported."""
    return Entry(name, "", "library", "", [], error=str(error))


def not_run(e: Record, reason: str, error: str = "") -> Entry:
    """An experiment without results."""
    return Entry(e.name, e.title, e.chapter, _data(e, {}), _not_judged(e, reason), error=error)


def ended(e: Record, context: Context, output_dir: Path, smoke: bool, duration: str) -> Entry:
    """An experiment after its run, which may have been stopped or refused."""
    folder, error = context.folder, "; ".join(context.errors)
    result = _result(folder)
    if found := result.get("claims"):
        claims = [Shown(c["verdict"], c["text"], f"{c['measure']}: {c['evidence']}") for c in found]
    else:
        explained = error or (smoke and result)  # the entry, or the head of the page, has it
        interrupted = result.get("stopped") == "Interrupted" or not explained
        claims = _not_judged(e, "interrupted" if interrupted else "")
    page = folder and (folder if isinstance(e, Command) else folder / "report.html")
    link = page.relative_to(output_dir).as_posix() if page and page.exists() else ""
    data = _data(e, result.get("config", {}))
    return Entry(e.name, e.title, e.chapter, data, claims, duration, link, error)


def page(entries: Sequence[Entry], started: str, note: str) -> str:
    """The HTML text of index.html."""
    chapters = {name: [each for each in entries if each.chapter == name] for name in CHAPTERS}
    words = Counter(claim.verdict for each in entries for claim in each.claims)
    counts = ", ".join(f"{n} {word}" for word, n in sorted(words.items()))
    return TEMPLATE.render(
        light=variables(dark=False),
        dark=variables(dark=True),
        chapters={name: found for name, found in chapters.items() if found},
        count=_count(entries),
        claims=f"{sum(words.values())} claims: {counts}",
        started=started,
        note=note,
    )


def _count(entries: Sequence[Entry]) -> str:
    """The number of experiments, and of those with an error."""
    errors = sum(bool(each.error) for each in entries)
    with_error = f", {errors} with an error" if errors else ""
    return f"{len(entries)} experiments{with_error}"


def _result(folder: Path | None) -> dict[str, Any]:
    """results.json of a run; empty if it has none."""
    path = folder and folder / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}


def _data(e: Record, config: dict[str, Any]) -> str:
    found = config.get("dataset") or default_data(e)
    return NO_DATA if found == "–" else found


def _not_judged(e: Record, reason: str) -> list[Shown]:
    return [Shown("not judged", claim.text, reason) for claim in e.claims]
