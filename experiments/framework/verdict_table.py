"""experiments/results/README.md: every claim with its verdict in every kept result."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.framework.claim import Evidence, Pairs, Share
from experiments.framework.experiment import CHAPTERS, Command, Experiment, Record
from experiments.framework.kept import OLDER, UNRECORDED, Kept, folder, kept, minutes
from experiments.framework.verdict import Verdict
from fcnn.cli.output import write_whole
from fcnn.cli.table import markdown

HEAD = (
    *("experiment", "claim", "what was measured", "verdict", "data", "n"),
    *("device", "commit", "date", "minutes", "remark"),
)
INTRODUCTION = f"""\
# Verdicts

Every claim of every experiment, judged by kept results of real runs. `python -m experiments table`
writes this page from the files in this folder: one for each data set and device. The kept
measurements are judged by today's record and by the [rule](../../docs/experiments.md#verdicts). n
is the number of pairs of a difference (seeds, or rounds, sizes or operators where the measure says
so), or of cases of a share. The experiment `speed` makes no claim; its n is the number of rounds.

A row is measured again by `python -m experiments EXPERIMENT`, with `--dataset DATA --data-dir DIR`
where the data is not digits.

Today's measurement may give another result where a remark is

- **{OLDER}**: the source that measures the experiment has changed since;
- **{UNRECORDED}**: it is not known whether it has changed."""


def text(records: Sequence[Record]) -> str:
    """The page."""
    blocks = [INTRODUCTION]
    for chapter in CHAPTERS:
        found = [(e, kept(e)) for e in records if e.chapter == chapter]
        if found:
            blocks += [f"## {chapter.capitalize()}", *_sources(found), _table(found)]
            blocks += _changes(found)
    return "\n\n".join(blocks) + "\n"


def write(records: Sequence[Record]) -> Path:
    """Write the page, and return its path.

    Raises: OSError if it cannot be written.
    """
    path = folder() / "README.md"
    write_whole(path, text(records))
    return path


def _sources(found: Sequence[tuple[Record, list[Kept]]]) -> list[str]:
    """A list of the literature of each experiment."""
    named = [(e.name, e.sources) for e, _ in found if isinstance(e, Experiment) and e.sources]
    lines = "\n".join(f"- {name}: {sources}" for name, sources in named)
    return ["The claims, or statements like them, stand in:", lines] if lines else []


def _table(found: Sequence[tuple[Record, list[Kept]]]) -> str:
    rows = [row for e, results in found for row in _rows(e, results)]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(markdown(HEAD, cells, left=len(HEAD)))


def _rows(e: Record, results: Sequence[Kept]) -> Iterator[tuple[str, ...]]:
    if not results:
        for claim in e.claims:
            yield (
                e.name,
                claim.text,
                f"{claim.measure}, claimed: {claim.bound}",
                "not run yet",
                *["–"] * 7,
            )
    for each in results:
        run = (each.device, each.commit, each.date, minutes(each), each.mark or "–")
        if isinstance(e, Command):
            what, dtype, rounds = (f"{each.content[k]}" for k in ("bench", "dtype", "rounds"))
            yield (e.name, "–", f"{what}, {dtype}", "–", each.data, rounds, *run)
        for v in each.verdicts:
            yield (e.name, v.text, _measured(v), v.verdict, each.data, _n(v.values), *run)


def _measured(verdict: Verdict) -> str:
    return f"{verdict.measure}: {verdict.evidence}"


def _n(values: Evidence) -> str:
    if isinstance(values, Pairs):
        return f"{len(values.a)}"
    return f"{values.of}" if isinstance(values, Share) else "–"


def _changes(found: Sequence[tuple[Record, list[Kept]]]) -> list[str]:
    """A list of the changes, each with all results that it is about."""
    about: dict[tuple[str, str], list[str]] = {}
    for _, results in found:
        for each in results:
            for line in each.changes:
                about.setdefault((each.name, line), []).append(each.file.stem)
    lines = [f"- {name}, {', '.join(files)}: {line}" for (name, line), files in about.items()]
    return ["Changes of claims since these runs:", "\n".join(lines)] if lines else []
