"""Colours of figures and pages, for light and for dark pages.

All pairs of LINES differ by at least 16 in CIELAB, also as people with protanopia or deuteranopia
see them, and each has a contrast of at least 3 with the page. sky, blue and navy are a sequence,
which stands out more at each step.
"""

import re

LINES = {  # name → (light page, dark page)
    "vermillion": ("#b83000", "#f07a45"),
    "blue": ("#0a63b8", "#62b2f5"),
    "green": ("#10906a", "#2ec498"),
    "gold": ("#b29012", "#f2c94c"),
    "purple": ("#c05c9c", "#c4739f"),
    "sky": ("#4096d0", "#3577d8"),
    "navy": ("#16305c", "#c4e4fc"),
}
PAGE = {
    "paper": ("#ffffff", "#14181d"),
    "raised": ("#f4f6f8", "#1e242b"),
    "line": ("#d9dee4", "#3a424d"),
    "soft": ("#59626d", "#a9b2bd"),
    "ink": ("#1b1f24", "#e8ebef"),
    "held": ("#13693d", "#5fd394"),
    "failed": ("#b3261e", "#ff9388"),
    "open": ("#755700", "#e6c15c"),
}
PAIRS = LINES | PAGE
COLOURS = {name: light for name, (light, _) in PAIRS.items()}
_NAMES = {light: name for name, light in COLOURS.items()} | {"#000000": "ink"}


def variables(dark: bool) -> str:
    """CSS declarations of all colours, for one kind of page."""
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in PAIRS.items())


def followed(svg: str) -> str:
    """An SVG whose known colours are CSS variables, so that they follow the page."""
    known = re.compile("|".join(map(re.escape, _NAMES)), re.IGNORECASE)
    return known.sub(lambda found: f"var(--{_NAMES[found[0].lower()]})", svg)
