"""Tables of the faults, and the counts that the claims are judged by."""

from collections.abc import Mapping
from typing import Any

from experiments.faults.damage import HARMLESS, KINDS, LOST, NAMED, WRONG
from experiments.faults.struck import CLASSES
from experiments.faults.task import EVERY
from experiments.framework.claim import Claim, Evidence, Share
from experiments.framework.table import Table
from experiments.framework.verdict import judge

Finished = Mapping[str, Any]
CLAIMS = (
    Claim(
        "Every killed run ends bit for bit equal to the run without kills",
        "kills after which arrays and metrics are equal",
        "at least",
        1.0,
    ),
    Claim(
        "Kills strike the first compilation, saving, deleting, mid-epoch and an epoch's end",
        "moments that were struck once for each killed run",
        "at least",
        1.0,
    ),
    Claim(
        f"A kill loses at most the {EVERY} steps since the last checkpoint",
        "kills that lost more",
        "at most",
        0.0,
    ),
    Claim(
        "Every checkpoint that is there after a kill is whole",
        "kills that left a part of one",
        "at most",
        0.0,
    ),
    Claim("No damaged checkpoint restores wrong bits", "damages with wrong bits", "at most", 0.0),
    Claim(
        "Every damage is named, and the checkpoint before is used, or it has no effect",
        "damages that are",
        "at least",
        1.0,
    ),
    Claim(
        "Every other fault ends with its exit code and one line, and loses no checkpoint",
        "faults that do",
        "at least",
        1.0,
    ),
)


def tries(found: Finished) -> list[dict[str, Any]]:
    """All kills."""
    return [each for result in found.values() for each in result.get("tries", ())]


def damaged(found: Finished) -> list[dict[str, Any]]:
    return [each for result in found.values() for each in result.get("damages", ())]


def others(found: Finished) -> list[dict[str, Any]]:
    return [result["other"] for result in found.values() if "other" in result]


def lost_steps(kill: Mapping[str, Any]) -> int:
    """Steps that were done when the kill struck, and had to be made again."""
    return kill["at"] - (kill["resumed"] or 0)


def evidence(found: Finished) -> list[Evidence]:
    """The counts for each claim."""
    struck, hurt = tries(found), damaged(found)
    runs = sum("tries" in result for result in found.values())
    moments = [sum(each["struck"] == name for each in struck) for name in CLASSES]
    tested = [each for each in others(found) if each["code"] is not None]
    good = sum(each["result"] in (NAMED, HARMLESS) for each in hurt)
    return [
        Share(sum(not each["different"] for each in struck), len(struck)),
        Share(sum(count >= runs for count in moments), len(CLASSES)),
        Share(sum(lost_steps(each) > EVERY for each in struck), len(struck)),
        Share(sum(bool(each["broken"]) for each in struck), len(struck)),
        Share(sum(each["result"] == WRONG for each in hurt), len(hurt)),
        Share(good, len(hurt)),
        Share(sum(not each["wrong"] for each in tested), len(tested)),
    ]


def failures(found: Finished) -> list[str]:
    """One line for each claim that these results refute."""
    failed = [v for v in judge(CLAIMS, evidence(found)) if v.verdict == "failed"]
    wrong = [f"{each['fault']}: {line}" for each in others(found) for line in each["wrong"]]
    return [f"{v.text}: {v.evidence}" for v in failed] + wrong


def tables(found: Finished) -> list[Table]:
    made = [by_fault(found)] if tries(found) or others(found) else []
    return made + ([by_damage(found)] if damaged(found) else [])


def by_fault(found: Finished) -> Table:
    """One row for each moment of kills, and for each other fault."""
    rows = []
    for name in dict.fromkeys([*CLASSES, *(each["struck"] for each in tries(found))]):
        group = [each for each in tries(found) if each["struck"] == name]
        if not group:
            rows.append((f"SIGKILL: {name}", "0", *[""] * 5))
            continue
        cells = (_steps(each["at"] for each in group), _steps(_resumed(each) for each in group))
        equal = sum(not each["different"] for each in group)
        lost = _steps(map(lost_steps, group))
        row = (f"SIGKILL: {name}", f"{len(group)}", "−9", *cells, lost, f"{equal} of {len(group)}")
        rows.append(row)
    rows += map(_row, others(found))
    head = ("fault", "tries", "exit code", "struck at step", "resumed from step", "lost steps")
    return Table((*head, "identical"), rows)


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of a fault that is no kill."""
    if each["code"] is None:
        return (each["fault"], "0", *[""] * 5)
    code = f"{each['code']}".replace("-", "−")
    if each["resumed"] is None:
        cells = ("", "")
    else:
        cells = (f"{each['resumed']}", f"{each['at'] - each['resumed']}")
    equal = "" if each["different"] is None else f"{int(not each['different'])} of 1"
    return (each["fault"], "1", code, f"{each['at']}", *cells, equal or "not compared")


def _resumed(kill):
    return kill["resumed"] or 0


def _steps(values) -> str:
    """Numbers with the count of each that occurs several times: "0, 4 (3×), 8"."""
    counts: dict[int, int] = {}
    for value in sorted(values):
        counts[value] = counts.get(value, 0) + 1
    return ", ".join(f"{v} ({n}×)" if n > 1 else f"{v}" for v, n in counts.items())


def by_damage(found: Finished) -> Table:
    """One row for each kind of damage."""
    results = (NAMED, HARMLESS, LOST, WRONG)
    rows = []
    for kind in (*KINDS, "all"):
        group = [each for each in damaged(found) if kind in ("all", each["kind"])]
        files = [f"{sum(e['file'] == file for e in group)}" for file in ("arrays", "metadata")]
        files.append(f"{sum(e['file'] == 'receipt' for e in group)}")
        counts = [f"{sum(e['result'] == result for e in group)}" for result in results]
        rows.append((kind, f"{len(group)}", *files, *counts))
    head = ("damage", "files", "arrays", "metadata", "receipts", *results)
    return Table(head, rows, narrow=True)


def messages(found: Finished) -> Table:
    """How each fault that is no kill was made, and the last line on standard error."""
    rows = [
        (each["fault"], each["how"], each["errors"][-1] if each["errors"] else "")
        for each in others(found)
    ]
    return Table(("fault", "how", "last line on standard error"), rows)
