"""The state of a running check: the rows judged so far, and the position.

`check` fills a `Progress` while it runs. A thread reads it to show the position, and the command
line keeps its rows after an interrupt by Ctrl-C.
"""

from fcnn.bench import Cost
from fcnn.checker.row import Row


class Progress:
    """Rows, costs and notes so far, and the position: case of cases, leaf of leaves, from 1 on.

    All four are 0 before the first subject. leaf is leaves + 1 while the cost is measured.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.costs: dict[str, list[Cost]] = {}
        self.notes: dict[str, str] = {}
        self.subject = ""
        self.case = self.cases = self.leaf = self.leaves = 0

    def enter(self, subject: str, leaves: int) -> None:
        """Start the next subject, with `leaves` rows."""
        self.subject, self.case, self.leaf, self.leaves = subject, self.case + 1, 0, leaves

    def note(self, *lines: str) -> None:
        """Add lines to the notes of the current subject."""
        if lines:
            before = self.notes.get(self.subject)
            self.notes[self.subject] = "\n".join([*([before] if before else []), *lines])

    @property
    def share(self) -> float:
        """The part of the check that is done, from 0 to 1."""
        within = max(self.leaf - 1, 0) / self.leaves if self.leaves else 0.0
        return max(self.case - 1 + within, 0.0) / self.cases if self.cases else 0.0

    @property
    def judged(self) -> str:
        """The finished part in words: "3 of 12 gradients", or "5 of 87 cases"."""
        if self.cases > 1:
            return f"{max(self.case - 1, 0)} of {self.cases} cases"
        return f"{len(self.rows)} of {self.leaves} gradients"

    def __str__(self) -> str:
        """The position on one line: "conv: 3×3: case 6 of 87; 14 right, 1 not right"."""
        if not self.subject:
            return "starting"
        where = f"leaf {self.leaf} of {self.leaves}" if self.leaf else "tracing and compiling"
        if self.leaf > self.leaves:
            where = "measuring the cost"
        if self.cases > 1:
            where = f"case {self.case} of {self.cases}"
        judged = [row.ok for row in list(self.rows)]
        right, wrong = judged.count(True), judged.count(False)
        counts = [f"{right} right"] * bool(right) + [f"{wrong} not right"] * bool(wrong)
        return "; ".join(filter(None, (f"{self.subject}: {where}", ", ".join(counts))))
