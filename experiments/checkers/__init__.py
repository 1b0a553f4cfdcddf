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

ALONE = "the text could not be read alone, and the measure did not state what is counted"
NAMED = 0.9  # claim 2: the smallest share of mutants whose mistake is named
CLAIMS = (
    Claim("Every mutant is caught", "mutants caught", "at least", 1.0),
    Claim(
        "The mistake is named in at least 90% of the mutants",
        "mutants whose mistake is named",
        "at least",
        NAMED,
    ),
    Claim(
        "fcnn.check calls no correct gradient wrong that was written with it",
        "correct gradients of part 1 that are called wrong",
        "at most",
        0.0,
        changed="the text was like that of the claim about part 2",
    ),
    Claim(
        "fcnn.check catches at least 99.5% of the suite's wrong gradients by hand",
        "wrong gradients by hand that are caught",
        "at least",
        0.995,
        changed=ALONE,
    ),
    Claim(
        "fcnn.check names or locates the mistake in at least 98% of the wrong gradients by hand",
        "wrong gradients by hand whose mistake is named, or whose wrong entries are located",
        "at least",
        0.98,
        changed=ALONE,
    ),
    Claim(
        "fcnn.check names the mistake in at least 90% of the wrong gradients by hand where "
        "locating it is not enough",
        "wrong gradients by hand that must be named, and are",
        "at least",
        0.9,
        changed=ALONE,
    ),
    Claim(
        "fcnn.check states a false mistake for at most 1% of the wrong gradients by hand",
        "wrong gradients by hand with a false sentence",
        "at most",
        0.01,
        changed=ALONE,
    ),
    Claim(
        "fcnn.check calls no right gradient of part 2 wrong, of functions traced by JAX and of "
        "cases by hand",
        "right gradients of part 2, at three seeds each, that are called wrong",
        "at most",
        0.0,
        changed=ALONE,
    ),
)


def summary(config: Config, found: Results) -> str:
    return (
        f"For all checkers: mutants, with one mistake each: {len(found.mutants)}; correct "
        f"gradients: {len(found.correct)}. For fcnn.check alone: gradients: "
        f"{sum(map(len, found.columns.values()))}; seed {config.seed}."
    )


EXPERIMENT = Experiment(
    name="checkers",
    title="Gradient checkers, on wrong gradients and on correct ones that look wrong",
    description="Comparison of fcnn.check with jax.test_util.check_grads, and with "
    "torch.autograd.gradcheck if torch is installed.",
    reach="Part 1 was written with the checker, and its shares say nothing about other "
    "mistakes. Part 2 has problems that its developers did not read; it is a sample of "
    "mistakes in gradients by hand, not of all operators.",
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
        "A mistake of part 1 is named if fcnn.check reports its kind and no other.",
        "Wrong gradients by hand are those of the column hand. A mistake is located if the wrong "
        "arguments and at least 90 % of their wrong entries are marked, and few others. It is "
        "named by its true kind, or by a sentence that gives every wrong entry; any other sentence "
        "is false. The author of a wrong gradient decided whether locating its mistake is enough.",
        "fcnn: fcnn.check. jax: jax.test_util.check_grads of a custom_vjp function, in reverse "
        "mode. torch: torch.autograd.gradcheck, in its fast mode above 300 entries. Seconds "
        "include compilation.",
    ],
)
