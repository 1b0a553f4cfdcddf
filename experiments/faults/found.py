"""What a fault led to, and what of it is not as it must be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.faults.child import Child
from experiments.faults.outcome import differences, halves
from experiments.faults.struck import resumed
from experiments.faults.task import Task


@dataclass
class Found:
    """A fault and its results.

    Attributes:
        at: the last step that was printed or saved.
        code: exit code; negative for the number of the signal that killed the process.
        errors: lines on standard error.
        resumed: step from which the same command continued.
        different: arrays with other bits at the end; None if they were not compared.
        wrong: one line for each fact that is not as it must be.
    """

    fault: str
    how: str
    at: int | None = None
    code: int | None = None
    errors: list[str] = field(default_factory=list)
    resumed: int | None = None
    different: list[str] | None = None
    wrong: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return {"other": asdict(self)}

    def expect_end(self, child: Child, code: int, *messages: str) -> None:
        """Expect an exit code and one of the messages, in lines without a traceback."""
        self.code, self.errors = child.end(), child.errors
        text = "\n".join(self.errors)
        if self.code != code:
            self.wrong.append(f"exit code {self.code}, not {code}")
        if not any(message in text for message in messages):
            self.wrong.append(f"no line has {messages[0]!r}")
        if len(self.errors) > 2 or "Traceback" in text:
            self.wrong.append(f"{len(self.errors)} lines on standard error")

    def expect_whole(self, run: Path) -> None:
        """Expect that checkpoints are there, and that all are whole."""
        self.wrong += halves(run)
        if not any((run / "checkpoints").glob("[0-9]*")):
            self.wrong.append("no checkpoint is left")

    def continue_to_end(
        self, task: Task, run: Path, reference: Mapping[str, Any], *, before: str = ""
    ) -> None:
        """Start the same command again, and expect the same end as without the fault."""
        child = task.start(run, before=before)
        self.ended(child, run, reference)
        self.resumed = resumed(child.lines)

    def ended(self, child: Child, run: Path, reference: Mapping[str, Any]) -> None:
        """Expect that a child ends with the same bits as the run without faults."""
        code = child.end()
        self.different = differences(run, reference) if code == 0 else [f"exit code {code}"]
        if self.different:
            self.wrong.append(f"other bits: {', '.join(self.different[:3])} {child.errors[-1:]}")
