"""The row of the report for a finding: kind of the mistake, a sentence, and a map of errors."""

import numpy as np

from fcnn.checker.complex_parts import OF_PARTS, join_cotangent
from fcnn.checker.diagnosis import Diagnosis, Mistake
from fcnn.checker.evidence import Evidence
from fcnn.checker.leaf import Leaf
from fcnn.checker.row import Row
from fcnn.checker.verdict import WRONG, Finding


def row_of(
    diagnosis: Diagnosis, i: int, finding: Finding, dtype: str, own_error: float | None
) -> Row:
    """The row of leaf i."""
    e = diagnosis.e
    mistake = _mistake(diagnosis, i, finding)
    subject = e.compiled.subject
    worst = (finding.at, finding.claimed, finding.autodiff, finding.slopes)
    if subject.complex_x[i]:
        dtype = OF_PARTS[dtype]
        worst = _complex_entry(e, i, finding) if finding.at else worst
    at, claimed, autodiff, slopes = worst
    return Row(
        problem=subject.name,
        leaf=subject.names[i],
        shape=subject.shape(i),
        dtype=dtype,
        verdict=finding.verdict,
        error=finding.error,
        impl=subject.impl,
        own_error=own_error,
        at=at,
        claimed=claimed,
        autodiff=autodiff,
        slopes=slopes,
        mistake=mistake.kind if mistake else "",
        exact=mistake is not None and mistake.exact,
        says=_sentence(e, finding, mistake),
        map=_map(e, i, finding),
    )


def _complex_entry(e: Evidence, i: int, finding: Finding):
    """Index, claimed value and references of the worst entry, from its two parts.

    The finding has one part of them, and the evidence has both.
    """
    assert finding.at is not None
    *at, part = finding.at
    other = (*at, 1 - part)

    def entry(this, that):
        dz = np.array([this, that][:: 1 - 2 * part])
        return complex(join_cotangent(dz))

    claimed = autodiff = None
    if finding.claimed is not None:
        claimed = entry(finding.claimed, float(e.claimed[i][other]))
    if finding.autodiff is not None and e.reference is not None:
        autodiff = entry(finding.autodiff, float(e.reference[i][other]))
    slopes = finding.slopes
    if slopes:
        leaf = Leaf(e, i, 0)
        at_other = leaf.slopes(leaf.look(leaf.one(int(np.ravel_multi_index(other, leaf.x.shape)))))
        slopes = tuple(dict.fromkeys(map(entry, *_of_one_length(slopes, at_other))))
    return tuple(at), claimed, autodiff, slopes


def _of_one_length(a, b):
    """Both tuples with as many entries as the longer one."""
    n = max(len(a), len(b))
    return [values if len(values) == n else values * n for values in (a, b)]


def _mistake(diagnosis: Diagnosis, i: int, finding: Finding) -> Mistake | None:
    """The mistake that the finding names, else the diagnosed mistake.

    If the finding names a wrong choice at a kink and the diagnosis is a mistake at ties, the
    diagnosis counts, because it is more specific.
    """
    e = diagnosis.e
    if finding.verdict != WRONG or not e.compiled.subject.is_of_kind(i, e.claimed[i]):
        return None
    found = Mistake(finding.mistake, finding.says, exact=False) if finding.mistake else None
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
    if not e.compiled.subject.is_of_kind(i, G):
        return None
    off = np.asarray(np.abs(G.astype(np.float64) - R))
    return np.linalg.norm(off, axis=-1) if e.compiled.subject.complex_x[i] else off
