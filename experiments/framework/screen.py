"""Standard output of an experiment. A failure to write to it does not end the run."""

from typing import Any

from rich.console import Console

from fcnn.cli.output import discard_rest


class Screen(Console):
    """Console that prints nothing more after a failed write, for example to a closed pipe."""

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard_rest()
