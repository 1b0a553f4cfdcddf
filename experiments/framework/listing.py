"""The list that `python -m experiments` prints: claims with verdicts, data and minutes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from textwrap import fill

from experiments.framework.exit_codes import MISUSE
from experiments.framework.experiment import CHAPTERS, Command, Record
from experiments.framework.finite_json import Damaged
from experiments.framework.kept import Kept, default_data, default_run, kept
from experiments.framework.screen import Screen

WIDTH = 80
Found = Mapping[str, Record | ImportError]  # by name; the error has one line


def main(usage: str, records: Found) -> int:
    """Print the list; 2 if an experiment cannot be imported, or a kept result cannot be read."""
    screen, broken = Screen(), []
    for line in (usage, *_lines(records, broken)):
        screen.print(line, soft_wrap=True)
    return MISUSE if broken else 0


def _lines(records: Found, broken: list[Exception]) -> Iterator[str]:
    """Records by chapter, and then the experiments that cannot be imported.

    The errors are added to `broken`.
    """
    for chapter in CHAPTERS:
        found = [e for e in records.values() if not isinstance(e, ImportError)]
        if found := [e for e in found if e.chapter == chapter]:
            yield f"\n{chapter.capitalize()}"
        for e in found:
            yield ""
            try:
                yield from _entry(e, kept(e))
            except (Damaged, OSError) as error:
                broken.append(error)
                yield _filled(f"{e.name}: {e.title}", 2)
                yield _filled(f"A kept result cannot be read: {error}.", 4)
    for name, error in records.items():
        if isinstance(error, ImportError):
            broken.append(error)
            yield ""
            yield _filled(f"{name}: {error}", 2)


def _entry(e: Record, results: list[Kept]) -> Iterator[str]:
    yield _filled(f"{e.name}: {e.title}", 2)
    if isinstance(e, Command):
        yield _filled(f"Makes no claim. {len(results)} kept results.", 4)
        return
    default = default_run(e, results)
    files = default_data(e) == "–" and "data_dir" in e.config.__dataclass_fields__
    data = "Data: files in --data-dir." if files else _data(default_data(e))
    yield _filled(f"{data} {_run(default)}", 4)
    verdicts = default.verdicts if default else []
    words = [v.verdict for v in verdicts] or ["claim"] * len(e.claims)
    for word, claim in zip(words, e.claims, strict=True):
        yield _filled(f"{word.capitalize()}: {claim.text}.", 4)
    for other in results:
        if other is not default:
            yield _filled(f"{_data(other.data)} {_run(other)} {_counted(other)}", 4)


def _data(name: str) -> str:
    return "No data set." if name == "–" else f"Data: {name}."


def _run(found: Kept | None) -> str:
    """When and for how long it ran."""
    if found is None:
        return "Not run yet."
    when = f"Kept run of {found.date}"
    if found.minutes is not None:
        when += f", {found.minutes:g} minutes"
    mark = f" Remark: {found.mark}." if found.mark else ""
    return f"{when}, {found.device}.{mark}"


def _counted(found: Kept) -> str:
    counts = Counter(v.verdict for v in found.verdicts)
    return f"{', '.join(f'{n} {word}' for word, n in counts.items())}.".capitalize()


def _filled(text: str, indent: int) -> str:
    first, rest = " " * indent, " " * (indent + 2)
    return fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
