"""Figures: the gap by number of images, what remedies buy, robustness, removal, reliability."""

from statistics import fmean, stdev

from experiments.overfitting.factors import FACTORS, FEW
from experiments.overfitting.measure import REMOVED
from experiments.overfitting.measured import excess, gap, lost, percent

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a929c"
KINDS = {"dense": ORANGE, "conv": BLUE}
LEAST = 10  # predictions in a bin that is drawn
OTHERS = [name for name in FACTORS if name != "baseline"]


def by_images(axes, m) -> str | None:
    """The gap between training and test accuracy by number of training images."""
    done = {kind: m[f"{kind} by images"] for kind in KINDS if f"{kind} by images" in m}
    if not done:
        return None
    captions = []
    for kind, r in done.items():
        gaps = [gap(each) for each in r["accuracies"]]
        means = [fmean(values) for values in gaps]
        spreads = [stdev(values) if len(values) > 1 else 0 for values in gaps]
        axes.errorbar(r["images"], means, spreads, fmt="o-", color=KINDS[kind], lw=2, capsize=3)
        axes.annotate(
            kind,
            (r["images"][0], means[0]),
            (-8, 0),
            textcoords="offset points",
            color=KINDS[kind],
            ha="right",
            va="center",
        )
        few, most = r["images"][0], r["images"][-1]
        captions.append(f"{kind} {means[0]:.1f} with {few} images, {means[-1]:.1f} with {most:,}")
    axes.set_xscale("log")
    images = next(iter(done.values()))["images"]
    spaced = [n for n in images if n == images[-1] or 2 * n <= images[-1]]
    axes.set_xticks(spaced, [f"{n:,}" for n in spaced])
    axes.minorticks_off()
    axes.set_xlim(left=images[0] / 2)
    axes.set_xlabel("training images")
    axes.set_ylabel("gap, percentage points")
    return (
        "Training accuracy minus test accuracy, in percentage points, by number of training images "
        f"(mean ± standard deviation over seeds): {'; '.join(captions)}."
    )


def by_factor(axes, m) -> str | None:
    """The change of test accuracy by each remedy, one dot per seed."""
    done = [name for name in OTHERS if name in m]
    if "baseline" not in m or not done:
        return None
    base, captions = percent(m["baseline"]["test"]), []
    for i, name in enumerate(done):
        gains = [a - b for a, b in zip(percent(m[name]["test"]), base, strict=True)]
        places = [i + 0.09 * (k - (len(gains) - 1) / 2) for k in range(len(gains))]
        axes.plot(gains, places, "o", color=BLUE, mfc="none", ms=5)
        axes.plot([fmean(gains)] * 2, [i - 0.3, i + 0.3], color=BLUE, lw=3)
        change = fmean(gap(m[name])) - fmean(gap(m["baseline"]))
        captions.append(f"{name} {fmean(gains):+.1f} (gap {change:+.1f})")
    axes.axvline(0, color=GREY, lw=1, zorder=0)
    axes.set_yticks(range(len(done)), done)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set_xlabel("change of test accuracy, percentage points")
    return (
        f"What each remedy adds to the test accuracy of the dense network trained on {FEW} images, "
        f"{fmean(base):.1f} %: one dot per seed, the mean as a bar, in percentage points, with the "
        f"change of the gap: {'; '.join(captions)}."
    )


def robustness(axes, m) -> str | None:
    """Test accuracy on clean, noisy and shifted images by remedy."""
    done = [name for name in FACTORS if name in m]
    if not done:
        return None
    captions = []
    for kind, colour, marker in (
        ("test", BLUE, "o"),
        ("noisy", ORANGE, "s"),
        ("shifted", GREEN, "^"),
    ):
        label = "clean" if kind == "test" else kind
        values = [fmean(percent(m[name][kind])) for name in done]
        axes.plot(values, range(len(done)), marker, color=colour, ms=8)
        axes.text(values[0], -0.45, label, color=colour, ha="center")
        best = max(range(len(done)), key=values.__getitem__)
        captions.append(f"{label} best with {done[best]}, {values[best]:.1f} %")
    axes.set_yticks(range(len(done)), done)
    axes.set_ylim(len(done) - 0.5, -0.9)
    axes.grid(axis="x")
    axes.set_xlabel("test accuracy, %")
    return (
        "Accuracy on clean (circles), noisy (squares) and shifted (triangles) test images, the "
        f"mean over seeds: {'; '.join(captions)}."
    )


def removed(axes, m) -> str | None:
    """Test accuracy by share of hidden units removed after training."""
    done = {name: m[name] for name in ("baseline", "dropout") if name in m}
    if not done:
        return None
    shares = percent(list(REMOVED))
    for name, colour in (("baseline", ORANGE), ("dropout", BLUE)):
        if name in done:
            means = [fmean(percent(values)) for values in done[name]["removed"]]
            axes.plot(shares, means, "o-", color=colour, lw=2)
            label = f" {'with' if name == 'dropout' else 'without'}\n dropout"
            axes.text(shares[-1], means[-1], label, color=colour, va="center")
    axes.set_xlim(right=shares[-1] * 1.3)
    axes.margins(y=0.15)
    axes.set_xlabel("hidden units removed, %")
    axes.set_ylabel("test accuracy, %")
    listed = ", ".join(f"{name} {fmean(lost(r)):.1f}" for name, r in done.items())
    return (
        "Test accuracy after random hidden units are removed, the mean over seeds and five draws. "
        f"Lost at {shares[-1]:.0f} % of the units, in percentage points: {listed}."
    )


def reliability(axes, m) -> str | None:
    """Accuracy by confidence: on the diagonal, a network is calibrated."""
    found = {f"{FEW} images": m.get("baseline"), "all images": m.get("dense by images")}
    done = {name: r["calibration"] for name, r in found.items() if r}
    if not done:
        return None
    axes.plot((0, 100), (0, 100), color=GREY, lw=1)
    axes.text(25, 28, "calibrated", color="0.35", rotation=45, rotation_mode="anchor")
    for i, ((name, r), colour) in enumerate(zip(done.items(), (ORANGE, BLUE), strict=False)):
        shown = [each for each in r["bins"] if each["n"] >= LEAST]
        x, y = ([100 * each[what] for each in shown] for what in ("confidence", "accuracy"))
        axes.plot(x, y, "o-", color=colour, lw=1.5)
        axes.text(97, 4 + 9 * i, name, color=colour, ha="right")
    axes.set_aspect("equal")
    axes.set_xlim(0, 103)
    axes.set_ylim(0, 103)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("accuracy, %")
    errors = {k: (fmean(r["error"]), fmean(excess(r))) for k, r in done.items()}
    listed = "; ".join(f"{k}: {a:.1f}, beyond chance {b:.1f}" for k, (a, b) in errors.items())
    return (
        f"Accuracy of test predictions by confidence, in bins with at least {LEAST} predictions of "
        f"all seeds. Expected calibration error in percentage points: {listed}."
    )
