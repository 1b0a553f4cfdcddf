"""The row of the report for a finding: kind of the mistake, a sentence, and a map of errors."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from fcnn.checker.diagnosis import Diagnosis, Mistake
from fcnn.checker.evidence import Evidence
from fcnn.checker.row import Row
from fcnn.checker.verdict import WRONG, Finding


def rows_of(
    e: Evidence,
    findings: Sequence[Finding],
    dtypes: Sequence[str],
    errors: Sequence[float | None],
    seed: int,
) -> list[Row]:
    """The rows of all leaves."""
    wrong = [i for i, finding in enumerate(findings) if finding.verdict == WRONG]
    diagnosis = Diagnosis(e, wrong, seed)
    return [
        _row(e, i, finding, dtypes[i], errors[i], _mistake(diagnosis, i, finding))
        for i, finding in enumerate(findings)
    ]


def _row(e, i, finding, dtype, own_error, mistake) -> Row:
    subject = e.compiled.subject
    return Row(
        problem=subject.name,
        leaf=subject.names[i],
        shape=e.compiled.x[i].shape,
        dtype=dtype,
        verdict=finding.verdict,
        error=finding.error,
        impl=subject.impl,
        own_error=own_error,
        at=finding.at,
        claimed=finding.claimed,
        autodiff=finding.autodiff,
        slopes=finding.slopes,
        mistake=mistake.kind if mistake else "",
        exact=mistake is not None and mistake.exact,
        says=_sentence(e, finding, mistake),
        map=_map(e, i, finding),
    )


def _mistake(diagnosis: Diagnosis, i: int, finding: Finding) -> Mistake | None:
    """The mistake that the finding names, else the diagnosed mistake.

    If the finding names a wrong choice at a kink and the diagnosis is a mistake at ties, the
    diagnosis counts, because it is more specific.
    """
    claimed = diagnosis.e.claimed[i]
    if finding.verdict != WRONG or not jnp.issubdtype(claimed.dtype, jnp.floating):
        return None
    found = Mistake(finding.mistake, finding.says) if finding.mistake else None
    if found is not None and found.kind != "kink":
        return found
    known = diagnosis.of(i)
    return found if found is not None and (known is None or known.kind != "ties") else known


def _sentence(e: Evidence, finding: Finding, mistake: Mistake | None) -> str:
    """The sentence on the finding; for JAX's own gradient, also a possible cause."""
    says = [mistake.says if mistake else finding.says]
    subject = e.compiled.subject
    if finding.verdict == WRONG and e.reference is None and e.compiled.traced:
        if not subject.by_rule:
            says += ["this is JAX's own gradient: is there a stop_gradient, or a custom_jvp?"]
    return "; ".join(filter(None, says))


def _map(e: Evidence, i: int, finding: Finding) -> np.ndarray | None:
    """|G - R| of every entry, if the verdict is "wrong" and G has the shape of R."""
    G, R = e.claimed[i], None if e.reference is None else e.reference[i]
    if finding.verdict != WRONG or R is None or G.shape != R.shape:
        return None
    if not jnp.issubdtype(G.dtype, jnp.floating):
        return None
    return np.asarray(np.abs(G.astype(np.float64) - R))
