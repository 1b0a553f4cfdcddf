"""The textbook's picture: a network, and the same network without the units of a random mask.

Source: Srivastava et al. 2014, figure 1.
"""

from experiments.dropout.measure import PICTURE, UNITS
from experiments.framework.palette import COLOURS

LAYER, UNIT = 1.3, 1.0  # distances of layers, and of the units of one layer
SECOND = 5.6  # left edge of the second network


def thinned(axes, m) -> str | None:
    if PICTURE not in m:
        return None
    masks = m[PICTURE]
    for left, kept, title in (
        (0.0, [[True] * n for n in UNITS], "all units"),
        (SECOND, masks, "one mask"),
    ):
        _network(axes, left, kept)
        axes.text(left + 1.5 * LAYER, 2.9, title, ha="center")
    axes.set_xlim(-0.5, SECOND + 3 * LAYER + 0.5)
    axes.set_ylim(-2.6, 3.4)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title("A network, and one of its thinned networks")
    droppable = sum(UNITS[:-1])
    dropped = droppable - sum(map(sum, masks[:-1]))
    return (
        f"A network of {' + '.join(map(str, UNITS))} units, left, and the network that one random "
        f"mask at the dropout rate 0.5 leaves of it, right: {dropped} of {droppable} units are "
        "dropped (crosses), with all their connections. Outputs are not dropped. Each training "
        "step draws a new mask."
    )


def _network(axes, left, kept):
    places = [
        [(left + i * LAYER, UNIT * ((n - 1) / 2 - k)) for k in range(n)]
        for i, n in enumerate(UNITS)
    ]
    for i in range(len(UNITS) - 1):
        for a, keeps_a in zip(places[i], kept[i], strict=True):
            for b, keeps_b in zip(places[i + 1], kept[i + 1], strict=True):
                if keeps_a and keeps_b:
                    ends = ((a[0], b[0]), (a[1], b[1]))
                    axes.plot(*ends, color=COLOURS["soft"], lw=0.8, zorder=1)
    for layer, keeps in zip(places, kept, strict=True):
        for (x, y), keep in zip(layer, keeps, strict=True):
            colour = COLOURS["blue" if keep else "line"]
            axes.plot(x, y, "o", color=colour, ms=11, zorder=2)
            if not keep:
                axes.plot(x, y, "x", color=COLOURS["ink"], ms=8, mew=1.5, zorder=3)
