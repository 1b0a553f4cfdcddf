"""Comparison of gradient checkers, and judgement of fcnn.check on code it was not written for.

Part 1 compares checkers on 362 mutants and 114 correct gradients that were written with fcnn.check.
The claims are:

    1. fcnn.check catches every mutant;
    2. fcnn.check names the mistake in at least 90% of the mutants;
    3. fcnn.check calls no correct gradient wrong.

Part 2 judges fcnn.check on problems that its developers did not read (`columns.py`). Its claims are
about the column "hand", and about all right gradients:

    4. it catches at least 99.5% of the wrong gradients;
    5. it names or locates at least 98%, and names at least 90% of those that must be named;
    6. at most 1% of the problems get a false sentence;
    7. it calls no right gradient wrong.

Command: python -m experiments checkers
Result:  docs/checking-gradients.md has the tables, with device and minutes.
"""

from experiments.checkers.config import Config, parts, prepare
from experiments.checkers.measure import measure
from experiments.checkers.results import Results, evidence, gather, read, results
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment

NAMED = 0.9  # claim 2: the smallest share of mutants whose mistake is named
CLAIMS = (
    Claim("Every mutant is caught", "mutants caught", "at least", 1.0),
    Claim(
        "The mistake is named in at least 90% of the mutants",
        "mutants whose mistake is named",
        "at least",
        NAMED,
    ),
    Claim("No correct gradient is called wrong", "false alarms", "at most", 0.0),
    Claim("At least 99.5% of the cases by hand are caught", "share", "at least", 0.995),
    Claim("At least 98% of them are named or located", "share", "at least", 0.98),
    Claim("At least 90% of those that must be named are", "share", "at least", 0.9),
    Claim("At most 1% get a false sentence", "share", "at most", 0.01),
    Claim("No right gradient of part 2 is called wrong", "false alarms", "at most", 0.0),
)


def summary(config: Config, found: Results) -> str:
    return (
        f"{len(found.mutants)} gradients with one mistake each and {len(found.correct)} correct "
        f"ones, for all checkers; {sum(map(len, found.columns.values()))} gradients for "
        f"fcnn.check, seed {config.seed}."
    )


EXPERIMENT = Experiment(
    name="checkers",
    title="Gradient checkers, on wrong gradients and on correct ones that look wrong",
    description="Comparison of fcnn.check with jax.test_util.check_grads, and with "
    "torch.autograd.gradcheck if torch is installed.",
    claims=CLAIMS,
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=lambda found: found.tables(),
    gather=gather,
    results=results,
    read=read,
    summary=summary,
    notes=lambda config: [
        "A mistake is named if fcnn.check reports its kind and no other.",
        "fcnn: fcnn.check. jax: jax.test_util.check_grads of a custom_vjp function, in reverse "
        "mode. torch: torch.autograd.gradcheck, in its fast mode above 300 entries. Seconds "
        "include compilation.",
    ],
)
