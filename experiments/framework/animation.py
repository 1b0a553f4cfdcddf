"""An animation for a report: frames of one inline SVG, with a button, a slider and the keyboard.

    Animation("paths", "Step by step", (358, 300), [Frame(svg, "step 0"), Frame(svg, "step 1")])

It does not move before a reader starts it. With `prefers-reduced-motion` it never moves by itself,
and is stepped through. Without JavaScript, in print, and at first, the page shows the last frame.
Colours of the palette follow the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from markupsafe import Markup

from experiments.framework.experiment import Section
from experiments.framework.palette import followed
from experiments.framework.report import PAGE

TEMPLATE = PAGE.environment.get_template("animation.html.jinja")


class Frame(NamedTuple):
    """SVG elements, and what they show in words, which is also their description."""

    svg: str
    text: str


@dataclass(frozen=True)
class Animation:
    """Frames on a common background, in a drawing of `size`, in pixels of a phone's page.

    Options:
        id: the id of the section; unique on the page.
        title: the section's heading.
        size: width and height of the drawing; text of 12 pixels can be read up to a width of 358.
        frames: at least two.
        background: SVG elements below each frame.
        caption: what the reader sees in all frames.
        seconds: time of a frame.
    Raises: ValueError for fewer than two frames.
    """

    id: str
    title: str
    size: tuple[float, float]
    frames: Sequence[Frame]
    background: str = ""
    caption: str = ""
    seconds: float = 0.5

    def __post_init__(self):
        if len(self.frames) < 2:
            what = f"animation {self.id!r} has {len(self.frames)} frames"
            raise ValueError(f"{what}; write at least 2, or draw a figure")

    def section(self, position: Literal["top", "bottom"] = "top") -> Section:
        """The animation as a section of a report."""
        html = TEMPLATE.render(
            size=self.size,
            background=Markup(followed(self.background)),
            frames=[(Markup(followed(svg)), text) for svg, text in self.frames],
            caption=self.caption,
            milliseconds=round(1000 * self.seconds),
        )
        return Section(self.id, self.title, html, position)
