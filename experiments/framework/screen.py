"""Standard output of an experiment. A failure to write to it does not end the run."""

from typing import Any

from rich.console import Console

from fcnn.cli.output import discard_rest


class Screen(Console):
    """Console that prints texts as they are, without markup.

    It replaces characters that the encoding of standard output lacks, and prints nothing more after
    a failed write, for example to a closed pipe.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if reconfigure := getattr(self.file, "reconfigure", None):
            reconfigure(errors="replace")

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard_rest()
