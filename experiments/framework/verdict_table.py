"""experiments/results/README.md: every claim, where it holds and where it fails, by chapter."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from experiments.framework.experiment import CHAPTERS, Experiment, Record
from experiments.framework.kept import OLDER, UNRECORDED, Kept, folder, kept, minutes
from fcnn.cli.output import write_whole
from fcnn.cli.table import markdown

OVERVIEW = ("experiment", "about", "held", "failed", "undecided", "not judged", "minutes")
HEAD = ("claim", "what was measured", "holds", "fails, or is undecided")
INTRODUCTION = f"""\
# Verdicts

Every claim of every experiment, as textbooks make it: what was measured, where the claim holds,
where it fails, and how far the result reaches. `python -m experiments table` writes this page from
the files in this folder: one for each data set and device. The kept measurements are judged by
today's record and by the [rule](../../docs/experiments.md#verdicts). n is the number of pairs of a
difference (seeds, or rounds, sizes or operators where the measure says so), or of cases of a share.

p is adjusted to the number of claims of a run (Holm), and intervals are not: a claim may be
undecided though its interval does not contain what is claimed. A doubling is a factor of 2, the
difference of two log2; a decade is a factor of 10. Below each table are the changes of its claims
since they were registered, with the verdict of the run that registered a claim, if there was one.

An experiment is run again by `python -m experiments EXPERIMENT`, with `--dataset DATA --data-dir
DIR` where the data set is not digits; `forecasting` and `which_layer` need `--data-dir DIR`.

Today's measurement may give another result where a run is marked

- **{OLDER}**: the source that measures the experiment has changed since;
- **{UNRECORDED}**: it is not known whether it has changed."""


def text(records: Sequence[Record]) -> str:
    """The page."""
    found = {e.name: kept(e) for e in records}
    by_chapter = {name: [e for e in records if e.chapter == name] for name in CHAPTERS}
    blocks = [INTRODUCTION, _overview(by_chapter, found)]
    for chapter, inside in by_chapter.items():
        blocks += [f"## {chapter.capitalize()}"] if inside else []
        for e in inside:
            blocks += _entry(e, found[e.name])
    return "\n\n".join(blocks) + "\n"


def write(records: Sequence[Record]) -> Path:
    """Write the page, and return its path.

    Raises: OSError if it cannot be written.
    """
    path = folder() / "README.md"
    write_whole(path, text(records))
    return path


def _overview(
    by_chapter: Mapping[str, Sequence[Record]], found: Mapping[str, Sequence[Kept]]
) -> str:
    """A table of all experiments, with the verdicts of all runs, and the minutes of the first."""
    rows = []
    for chapter, inside in by_chapter.items():
        rows += [(f"**{chapter.capitalize()}**", *[""] * (len(OVERVIEW) - 1))] if inside else []
        for e in inside:
            words = Counter(v.verdict for each in found[e.name] for v in each.verdicts)
            counts = (f"{words[word]}" if words[word] else "" for word in OVERVIEW[2:-1])
            times = minutes(next(iter(found[e.name]), None))
            rows.append((f"[{e.name}](#{e.name})", e.title, *counts, times))
    return "\n".join(markdown(OVERVIEW, rows, left=2))


def _entry(e: Record, results: Sequence[Kept]) -> Iterator[str]:
    """An experiment: its literature, its reach, its runs, its claims, and their changes."""
    yield f"### {e.name}"
    facts = {"": f"{e.title}.", "Runs: ": "; ".join(map(_run, results)) or "not run yet"}
    if isinstance(e, Experiment):
        facts |= {"Claims like these: ": e.sources, "How far it reaches: ": e.reach}
    lines = [f"{name}{fact.rstrip('.')}." for name, fact in facts.items() if fact]
    yield "\n".join([lines[0], *(f"- {line}" for line in lines[1:])]).replace("\n", "\n\n", 1)
    if e.claims:
        rows = [_row(e, i, results) for i in range(len(e.claims))]
        cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        yield "\n".join(markdown(HEAD, cells, left=len(HEAD)))
    if changes := _changes(results):
        yield "\n".join(["Changes of claims since they were registered:\n", *changes])


def _run(each: Kept) -> str:
    """A run: its data, device, commit and date."""
    if "bench" in each.content:
        what = ", ".join(f"{each.content[k]}" for k in ("bench", "dtype", "rounds")) + " rounds"
    else:
        what = _label(each, "{}") or "no data set"
    facts = [each.device, each.commit, each.date]
    facts += [] if each.minutes is None else [f"{minutes(each)} minutes"]
    mark = f", **{each.mark}**" if each.mark and "bench" not in each.content else ""
    return f"{what} ({', '.join(facts)}{mark})"


def _label(each: Kept, form: str) -> str:
    """The name of a result's data set and accelerator in a text; empty without a data set."""
    return "" if each.file.stem == each.name else form.format(each.file.stem)


def _row(e: Record, i: int, results: Sequence[Kept]) -> tuple[str, ...]:
    """Claim i, and where it holds or not."""
    claim = e.claims[i]
    if not results:
        return (
            f"{i + 1}. {claim.text}",
            f"{claim.measure}, claimed: {claim.bound}",
            "not run yet",
            "–",
        )
    found = [(each, each.verdicts[i]) for each in results]
    held = [f"{_label(each, '{}: ')}{v.evidence}" for each, v in found if v.verdict == "held"]
    other = [
        f"**{v.verdict}**{_label(each, ' on {}')}: {v.evidence}"
        for each, v in found
        if v.verdict != "held"
    ]
    return (
        f"{i + 1}. {claim.text}",
        claim.measure,
        "<br>".join(held) or "–",
        "<br>".join(other) or "–",
    )


def _changes(results: Sequence[Kept]) -> list[str]:
    """The changes of claims, each with all results that it is about."""
    about: dict[str, list[str]] = {}
    for each in results:
        for line in each.changes:
            about.setdefault(line, []).append(each.file.stem)
    return [f"- {', '.join(files)}: {line}" for line, files in about.items()]
