"""Tables: both forms against means over masks, equal training, and training of each network."""

from statistics import fmean

from experiments.dropout.evidence import gap
from experiments.dropout.masks import BY_P, ERRORS, LINEAR, NETWORK
from experiments.dropout.measure import ALONE, BOTH, DECAYED, EQUIVALENCE, SPEED, WITH_MASKS
from experiments.dropout.speed import TARGET
from experiments.framework.curves import mean_steps
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table

FORMS = {
    LINEAR[0]: "last layer, inverted",
    LINEAR[1]: "last layer, classic",
    BY_P: "last layer, classic, evaluated with p",
    NETWORK: "all layers, inverted",
}


def tables(m) -> list[Table]:
    return [_forms(m), _equivalence(m), _training(m)]


def _forms(m):
    rows = [
        (
            form,
            f"{setting.dropped:g}",
            f"{r['within']:,} of {r['of']:,}",
            f"{fmean(r['difference']):.2f}",
        )
        for setting in WITH_MASKS
        if setting.name in m
        for key, form in FORMS.items()
        if (r := m[setting.name]["agreement"][key])
    ]
    head = (
        "masks and form",
        "dropout rate",
        f"outputs within {ERRORS:g} standard errors of the mean over masks",
    )
    difference = "root mean square difference without that of the standard errors, %"
    return Table((*head, difference), rows, narrow=True)


def _equivalence(m):
    found = m.get(EQUIVALENCE, {})
    rows = [(p, f"{max(differences):.1e}") for p, differences in found.items()]
    head = ("dropout rate", "largest difference of both forms, relative to the largest output")
    return Table(head, rows)


def _training(m):
    rows = [
        (
            setting.name,
            f"{r['rate']:g}",
            mean_steps(r[SPEED]),
            f"{fmean(percent(r['train'])):.1f}",
            with_spread(percent(r["test"])),
            f"{fmean(gap(r)):.1f}",
        )
        for setting in (*ALONE, *DECAYED, *BOTH)
        if (r := m.get(setting.name))
    ]
    steps, accuracy = (
        f"fewest steps to {TARGET:g} nats without masks",
        "test accuracy, %",
    )
    difference = "training − test accuracy, percentage points"
    marks: dict[str, Best] = {steps: "lowest", accuracy: "highest", difference: "lowest"}
    head = ("dropout rate and weight decay", "best learning rate", steps, "training accuracy, %")
    return Table((*head, accuracy, difference), rows, narrow=True, best=marks)
