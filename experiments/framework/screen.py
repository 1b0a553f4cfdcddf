"""Standard output of an experiment, which may fail while the report is still to be written."""

from typing import Any

from rich.console import Console

from fcnn.cli.output import discard_rest


class Screen(Console):
    """Once it fails, as after `head` or on a full disk, nothing more is shown; the run goes on."""

    def print(self, *objects: Any, **how: Any) -> None:
        try:
            super().print(*objects, **how)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard_rest()
