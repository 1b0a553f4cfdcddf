"""A picture of training: 16 panels by initial standard deviation and learning rate.

It is after that of Saitoh 2016, chapter 6.3, which has 16 standard deviations at one rate.
"""

from experiments.framework.plots import colour_of
from experiments.framework.statistics import percent
from experiments.framework.trained import STEPS
from experiments.normalization.evidence import GOOD
from experiments.normalization.measure import STARTS
from experiments.normalization.training import RATES, SPREADS

SHOWN_RATES = RATES[::2]


def panels(axes, m) -> str | None:
    """Training accuracy by step: one row per standard deviation, one column per rate."""
    done = {name: m[part]["runs"] for name, part in STARTS.items() if part in m}
    if not done or any(len(runs) <= len(SPREADS) for runs in done.values()):
        return None
    axes.axis("off")
    axes.set_title("Training accuracy by initial spread and learning rate")
    for row, sd in enumerate(SPREADS):
        for column, rate in enumerate(SHOWN_RATES):
            place = (0.14 + 0.22 * column, 0.75 - 0.215 * row, 0.19, 0.18)
            panel = axes.inset_axes(place)
            for name, runs in done.items():
                if result := runs[f"{sd:g}"][RATES.index(rate)]:
                    steps = [STEPS * (i + 0.5) for i in range(len(result["curve"]))]
                    panel.plot(steps, percent(result["curve"]), color=colour_of(name), lw=2)
            panel.set_xlim(left=0)
            panel.set_ylim(-5, 105)
            panel.set_yticks((0, 100))
            panel.tick_params(labelleft=False, labelbottom=False)
            if row == 0:
                panel.set_title(f"rate {rate:g}", loc="center")
        height = 0.84 - 0.215 * row
        axes.text(0.12, height, f"sd\n{sd:g}", ha="right", va="center", transform=axes.transAxes)
    for x, name in zip((0.14, 0.58), done, strict=False):
        at = {"transform": axes.transAxes, "va": "center_baseline"}
        axes.text(x, 0.03, name, color=colour_of(name), weight="bold", **at)
    learned = {
        name: sum(
            bool(r := runs[f"{sd:g}"][RATES.index(rate)]) and r["curve"][-1] >= GOOD
            for sd in SPREADS
            for rate in SHOWN_RATES
        )
        for name, runs in done.items()
    }
    total = len(SPREADS) * len(SHOWN_RATES)
    listed = ", ".join(f"{name} {count}" for name, count in learned.items())
    return (
        "Training accuracy from 0 to 100 % by training step, the mean over seeds, in 16 panels: "
        "rows by initial standard deviation (sd) of the weights, columns by learning rate. Where "
        f"a line is missing, training diverged. Panels of {total} that end at {100 * GOOD:g} % or "
        f"more: {listed}."
    )
