"""Exit codes of experiments.

0         every judged claim held, or no claim was judged
1         a claim failed
2         misuse
3         a claim is undecided, or a fault stopped the run
130, 143  stopped by SIGINT or SIGTERM
"""

from collections.abc import Sequence

from experiments.framework.verdict import Verdict

FAILED, MISUSE, FAULT = 1, 2, 3
SEVERITY = (0, FAULT, FAILED, MISUSE, 130, 143)  # the worst of several codes is the last
EXIT = (
    "Exit code: 0 if every judged claim held, 1 if one failed, 3 if one is undecided or a fault "
    "stopped the run (a loss that is not finite, a full disk, an exception), 2 for misuse, 130 or "
    "143 if interrupted. --smoke judges no claim."
)


def worst(codes: Sequence[int]) -> int:
    """The worst exit code: 130 and 143 before 2, before 1, before 3, before 0.

    >>> worst([0, 3, 1, 3])
    1
    """
    rank = lambda code: SEVERITY.index(code) if code in SEVERITY else len(SEVERITY)
    return max(codes, key=rank, default=0)


def verdict_code(verdicts: Sequence[Verdict]) -> int:
    codes = {"failed": FAILED, "undecided": FAULT}
    return worst([codes.get(v.verdict, 0) for v in verdicts])
