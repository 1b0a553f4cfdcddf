"""Figures: parameters by image size, parameters by layer, and accuracy by parameters."""

from statistics import mean

from experiments.parameter_count.counts import TEXTBOOK
from experiments.parameter_count.measure import NETWORKS, Results

RED, BLUE = "#d1495b", "#17508f"
COLOURS = dict(zip(NETWORKS, (RED, BLUE), strict=True))


def by_image(axes, m: Results) -> str | None:
    if not m.counts:
        return None
    ends = {}
    for name, colour in (("dense", RED), ("conv 3×3", BLUE)):
        found = {r["side"]: r["parameters"] for r in m.counts["layers"] if r["layer"] == name}
        axes.plot(list(found), list(found.values()), "o-", color=colour, lw=2)
        side, value = list(found.items())[2]
        place = {"textcoords": "offset points", "xytext": (-8, 10), "ha": "right", "color": colour}
        axes.annotate(name, (side, value), **place)
        ends[name] = found[max(found)]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sides = sorted(found)
    axes.set_xticks(sides, [f"{side}" for side in sides])
    axes.set_xlabel("height and width of the image, pixels")
    axes.set_ylabel("parameters")
    return (
        "Parameters of one layer with 64 features on images of 3 channels. At 224×224 the dense "
        f"layer has {ends['dense']:,}, the convolution {ends['conv 3×3']:,} as at every size."
    )


def by_layer(axes, m: Results) -> str | None:
    if not m.counts:
        return None
    networks = m.counts["networks"]
    for i, each in enumerate(networks.values()):
        left = 0.0
        for parameters in each:
            share = 100 * parameters / sum(each)
            colour = RED if parameters == max(each) else "#c3cad3"
            axes.barh(i, share, 0.55, left=left, color=colour, edgecolor="white", lw=0.5)
            if parameters == max(each):
                place = {"ha": "center", "va": "center", "color": "white"}
                axes.text(left + share / 2, i, f"{share:.1f} %", **place)
            left += share
    axes.set_yticks(range(len(networks)), [name.replace(", ", ",\n") for name in networks])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of all parameters, %")
    each = networks[TEXTBOOK]
    return (
        "Parameters of each layer of four networks for images of 224×224×3, from the first layer "
        "to the last; red is the largest layer, which is dense in all four. In the textbook's "
        f"network, {TEXTBOOK}, it has {100 * max(each) / sum(each):.2f} %."
    )


def by_accuracy(axes, m: Results) -> str | None:
    ends = []
    for name in NETWORKS:
        found = {m.parameters[name][w]: a for w, a in m.accuracy(name).items()}
        if not found:
            return None
        middle = [100 * mean(a) for a in found.values()]
        axes.plot(list(found), middle, "-", color=COLOURS[name], lw=2)
        for parameters, accuracies in found.items():
            n = len(accuracies)
            spread = [parameters * 1.012 ** (i - (n - 1) / 2) for i in range(n)]
            axes.plot(spread, [100 * a for a in accuracies], "o", color=COLOURS[name], ms=5)
        place = {"textcoords": "offset points", "xytext": (14, 0), "va": "center"}
        axes.annotate(name, (min(found), middle[0]), color=COLOURS[name], **place)
        ends.append(f"{name} has {middle[0]:.1f} % with {min(found):,} parameters")
    axes.axhline(100 * m.target, color="#8a929c", lw=1, zorder=0)
    axes.set_xscale("log")
    ticks = sorted(m.parameters[NETWORKS[-1]].values())
    axes.set_xticks(ticks, [f"{parameters:,}" for parameters in ticks])
    axes.minorticks_off()
    axes.set_xlabel("parameters")
    axes.set_ylabel("test accuracy, %")
    return (
        "Test accuracy by number of parameters, one dot per seed, lines through the means; the "
        f"horizontal line is the set accuracy of {100 * m.target:g} %. {'; '.join(ends)}."
    )
