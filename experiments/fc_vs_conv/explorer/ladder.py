"""The ladder as a diagram: one column per network, one row per stage, as inline SVG.

Colours are classes of sections.css. Text has 11 px where the diagram has its own width.
"""

from html import escape
from typing import Any, NamedTuple

LEFT, COLUMN, BOX, HEIGHT, GAP, TOP = 52, 62, 58, 94, 24, 64  # in pixels
JOINTS = {"flatten": "flatten", "global_avg_pool": "average"}


class Stage(NamedTuple):
    """A layer with parameters, the parameter-free layers after it, and what is before it."""

    kind: str
    lines: tuple[str, ...]  # the layer, pooling or an empty line, and the output's shape
    parameters: int
    joint: str  # how spatial axes are removed before it, or nothing


def stages(layers: list[dict[str, Any]]) -> list[Stage]:
    found, joint = [], ""
    for layer in layers:
        kind, size = layer["kind"], _size(layer["output"])
        if "w" in layer:
            window = " " + _size(layer["w"][:2]) if kind == "conv" else ""
            size += "" if kind == "conv" else " units"
            found.append(Stage(kind, (kind + window, "", size), layer["parameters"], joint))
            joint = ""
        elif kind in JOINTS:
            joint = JOINTS[kind]
        elif kind == "max_pool":
            found[-1] = found[-1]._replace(lines=(found[-1].lines[0], "max pool", size))
    return found


def diagram(networks: dict[str, dict[str, Any]]) -> str:
    """SVG of kept networks; a stage of another kind than in the column before is outlined."""
    columns = {name: stages(network["layers"]) for name, network in networks.items()}
    rows = max(map(len, columns.values()))
    width, foot = LEFT + COLUMN * len(columns), TOP + rows * (HEIGHT + GAP)
    at = [TOP - 36, *(TOP + HEIGHT / 2 + i * (HEIGHT + GAP) for i in range(rows))]
    names = ["input", *(f"stage {i + 1}" for i in range(rows - 1)), "head"]
    parts = [_text(2, y, name, "soft left") for y, name in zip(at, names, strict=True)]
    for y, name in ((4, "para-"), (16, "meters"), (38, "multiply-"), (50, "adds")):
        parts.append(_text(2, foot + y, name, "soft left"))
    before: list[Stage] = []
    for i, (name, column) in enumerate(columns.items()):
        x = LEFT + COLUMN * i + COLUMN / 2
        total = sum(stage.parameters for stage in column)
        work = sum(layer["multiply_adds"] for layer in networks[name]["layers"])
        parts += [_text(x, 12, name, "strong"), _text(x, TOP - 36, _size(networks[name]["input"]))]
        parts += [_text(x, foot + 10, f"{total:,}", "strong"), _text(x, foot + 44, f"{work:,}")]
        for row, stage in enumerate(column):
            y = TOP + row * (HEIGHT + GAP)
            old = before[row] if row < len(before) else stage
            other = bool(stage.joint and old.joint and stage.joint != old.joint)
            parts.append(_joint(x, y, stage.joint, other))
            parts.append(_box(x, y, stage, stage.parameters / total, stage.kind != old.kind))
        before = column
    text = "; ".join(f"{name}: {_words(column)}" for name, column in columns.items())
    return (
        f'<div class="scroll"><svg class="ladder" viewBox="0 0 {width} {foot + 56}" role="img" '
        f'style="min-width:{width - 8}px;max-width:{1.6 * width:.0f}px" '
        f'aria-label="{escape(text)}">{DEFS}{"".join(parts)}</svg></div>'
    )


DEFS = (
    '<defs><g id="fan">'
    + "".join(f'<path d="M9 {a}L35 {b}"/>' for a in (3, 12, 21) for b in (3, 12, 21))
    + "".join(f'<circle cx="{x}" cy="{y}" r="2.5"/>' for x in (9, 35) for y in (3, 12, 21))
    + '</g><g id="window"><path d="M3 1h22v22h-22z"/><path class="fill" d="M8 5h12v12h-12z"/>'
    '<path d="M20 5L37 11M20 17L37 11"/><circle cx="38" cy="11" r="2.5"/></g></defs>'
)


def _box(x, y, stage, share, swapped):
    kind = stage.kind if stage.kind in ("conv", "dense") else "other"
    icon = {"conv": "window", "dense": "fan"}.get(kind)
    left, bar = x - BOX / 2, (BOX - 8) * share
    use = f'<use href="#{icon}" x="{x - 22}" y="{y + 7}"/>' if icon else ""
    lines = [line for line in stage.lines if line]
    texts = [_text(x, y + 44 + 13 * i, line) for i, line in enumerate(lines)]
    return (
        f'<g class="{kind}{" swapped" if swapped else ""}">'
        f'<rect class="box" x="{left}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6"/>{use}'
        f"{''.join(texts)}{_text(x, y + 84, f'{stage.parameters:,}')}"
        f'<rect class="bar" x="{left + 4}" y="{y + 88}" width="{bar:.1f}" height="3" rx="1.5"/></g>'
    )


def _joint(x, y, joint, swapped):
    line = f'<path class="wire" d="M{x} {y - GAP}V{y}"/>'
    if not joint:
        return line
    return (
        f'<g class="joint{" swapped" if swapped else ""}">{line}<rect class="box" '
        f'x="{x - BOX / 2 - 1}" y="{y - 20}" width="{BOX + 2}" height="16" rx="8"/>'
        f"{_text(x, y - 8, joint)}</g>"
    )


def _size(shape):
    return "×".join(map(str, shape))


def _words(column):
    return ", ".join(" ".join(filter(None, (s.joint, *s.lines))) for s in column)


def _text(x, y, text, kind=""):
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(str(text))}</text>'
