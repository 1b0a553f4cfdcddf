"""What a run has from the command that started it, and what it reports back."""

from dataclasses import dataclass, field
from pathlib import Path

from experiments.framework.options import refuse
from experiments.framework.screen import Screen
from experiments.framework.series import Series


@dataclass
class Context:
    """The surroundings of one run.

    Attributes:
        index: link from its report to the page of all experiments, if there is one.
        series: the progress of all experiments that the run is one of.
        folder: of the run; None if it was refused.
        errors: error messages of the run, one line each.
    """

    screen: Screen = field(default_factory=Screen)
    index: str = ""
    series: Series | None = None
    folder: Path | None = None
    errors: list[str] = field(default_factory=list)

    def refuse(self, message: str, code: int = 2) -> int:
        self.errors.append(message)
        return refuse(message, code)
