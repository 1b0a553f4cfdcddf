"""Standard output of an experiment, whose failure does not end the run."""

from typing import Any

from rich.console import Console

from fcnn.cli.output import discard_rest


class Screen(Console):
    """A console that is silent after a failure of standard output, as by `head` or a full disk."""

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard_rest()
