"""Figures: parameters by image size, parameters by layer, and accuracy by parameters."""

from statistics import mean
from textwrap import fill

from experiments.framework.palette import COLOURS
from experiments.framework.plots import lines
from experiments.framework.statistics import percent
from experiments.parameter_count.measure import NETWORKS, Results


def by_image(axes, m: Results) -> str | None:
    if not m.counts:
        return None
    found: dict[str, dict[float, list[float]]] = {"dense": {}, "conv 3×3": {}}
    for r in m.counts["layers"]:
        if r["layer"] in found:
            found[r["layer"]][r["side"]] = [r["parameters"]]
    sides = sorted(found["dense"])
    axes.set_yscale("log")
    axes.set_title("Parameters of one layer with 64 features")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    lines(axes, found, "height and width of the image, pixels", "parameters", at=sides)
    dense, conv = (by[sides[-1]][0] for by in found.values())
    return (
        "Parameters of one layer with 64 features on images of 3 channels. At "
        f"{sides[-1]}×{sides[-1]} the dense layer has {dense:,}; the convolution has {conv:,} at "
        "every size."
    )


def by_layer(axes, m: Results) -> str | None:
    if not m.counts:
        return None
    networks = m.counts["networks"]
    for i, each in enumerate(networks.values()):
        left = 0.0
        for parameters in each:
            share, largest = 100 * parameters / sum(each), parameters == max(each)
            face = (COLOURS["vermillion" if largest else "soft"], 0.4)
            edge = {"edgecolor": COLOURS["paper"], "lw": 0.7}
            axes.broken_barh([(left, share)], (i - 0.3, 0.6), facecolor=face, **edge)
            if largest:
                axes.text(left + share / 2, i, f"{share:.1f} %", ha="center", va="center")
            left += share
    axes.set_yticks(range(len(networks)), [fill(name, 18) for name in networks])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of all parameters, %")
    axes.set_title("Share of the largest layer")
    shares = (f"{name} {100 * max(each) / sum(each):.2f} %" for name, each in networks.items())
    return (
        "Parameters of each layer of four networks for images of 224×224×3, from the first layer "
        "to the last; the largest layer, coloured, is dense in all four. Its share: "
        f"{'; '.join(shares)}."
    )


def by_accuracy(axes, m: Results) -> str | None:
    found: dict[str, dict[float, list[float]]] = {
        name: {
            m.parameters[name][width]: percent(accuracies)
            for width, accuracies in m.accuracy(name).items()
        }
        for name in NETWORKS
    }
    if not all(found.values()):
        return None
    axes.axhline(100 * m.target, color=COLOURS["soft"], lw=1, ls="--", zorder=0)
    axes.set_title("Test accuracy by number of parameters")
    ticks = sorted(m.parameters[NETWORKS[-1]].values())
    lines(axes, found, "parameters", "test accuracy, %", at=ticks)
    ends = (
        f"{name} has {mean(by[least]):.1f} % with {least:,} parameters"
        for name, by in found.items()
        for least in [min(by)]
    )
    dense, conv = (m.accuracy(name) for name in NETWORKS)
    widths = (width for width in m.widths if width in dense and width in conv)
    gains = (f"{100 * (mean(conv[width]) - mean(dense[width])):+.1f}" for width in widths)
    return (
        f"Test accuracy by number of parameters; the line is the set accuracy of "
        f"{100 * m.target:g} %. {'; '.join(ends)}. conv3 − dense by size, from the smallest: "
        f"{', '.join(gains)} percentage points. Bands: one standard deviation over seeds."
    )
