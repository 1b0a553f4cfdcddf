"""An experiment as a record. `runner` and `running` do everything that experiments have in common.

prepare   options and data                       → the configuration and what is measured
parts     the work in pieces                     → saved one by one, so that a run can continue
measure   yields each finished part and its result, which JSON can hold
gather    results of the finished parts          → the measurements, "M" below
evidence  M                                      → one entry per claim
tables, figures, files, notes, summary, sections → what the terminal, the report and the folder get
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar, get_args

from experiments.framework.claim import Claim, Evidence
from experiments.framework.options import Output
from experiments.framework.table import Table

C = TypeVar("C", bound=Output)  # the configuration: a frozen dataclass
P = TypeVar("P")  # what `prepare` makes
M = TypeVar("M")  # the measurements

Chapter = Literal[  # of a textbook; the last one is about this library
    "layers", "activations", "training", "regularization", "depth", "sequences", "library"
]
CHAPTERS: tuple[Chapter, ...] = get_args(Chapter)


class Part(NamedTuple):
    """A piece of work, with a payload for `measure`; `cost` is relative to the other parts."""

    name: str
    payload: Any = None
    cost: float = 1.0


class Section(NamedTuple):
    """A part of the report that an experiment makes itself.

    `html` is shown as it is, and has its own inline style and script; it requests nothing. Script
    and style know the section as #id. At the top it is above the results, else below the figures.
    """

    id: str
    title: str
    html: str
    position: Literal["top", "bottom"] = "top"


class Log(NamedTuple):
    """Functions for `measure`. `note` and `show` raise `Interrupted` after a signal."""

    metric: Callable[..., None]  # one line of metrics.jsonl
    note: Callable[[str], None]  # a step without a length: "compiling dense"
    show: Callable[[str, float], None]  # the state of the running part, and its finished share


@dataclass(frozen=True)
class Experiment(Generic[C, P, M]):
    """The record of an experiment. Its claims are registered here, before the first full run."""

    name: str
    title: str
    claims: Sequence[Claim]
    config: type[C]
    prepare: Callable[[C], tuple[C, P]]  # raises ValueError, in one line, for misuse
    parts: Callable[[C, P], Sequence[Part]]
    measure: Callable[[C, P, Sequence[Part], Log], Generator[tuple[str, Any], None, None]]
    evidence: Callable[[M], Sequence[Evidence]]
    tables: Callable[[M], Sequence[Table]]
    gather: Callable[[dict[str, Any]], Any] = lambda finished: finished  # part → result; makes M
    results: Callable[[M], dict[str, Any]] = lambda m: {"parts": m}  # in results.json,
    read: Callable[[dict[str, Any]], M] = lambda kept: kept["parts"]  # and read from it
    figures: Mapping[str, Callable[[Any, M], str | None]] = field(default_factory=dict)
    sections: Callable[[C, M], Sequence[Section]] = lambda config, m: ()  # of the report
    files: Callable[[M], Mapping[str, str]] = lambda m: {}  # name → text
    summary: Callable[[C, M], str] = lambda config, m: ""
    notes: Callable[[C], Sequence[str]] = lambda config: ()
    data: Callable[[P], str] = lambda prepared: ""  # identifies the data set, for --continue
    description: str = ""
    sources: str = ""  # the literature that makes the claims
    reach: str = ""  # how far the results reach: data, sizes, budgets, and what is not covered
    chapter: Chapter = "library"

    def __post_init__(self):
        if self.chapter not in CHAPTERS:
            expected = ", ".join(map(repr, CHAPTERS))
            raise ValueError(f"unknown chapter {self.chapter!r}; expected one of {expected}")


@dataclass(frozen=True)
class Command:
    """An experiment with a command line of its own, which makes no claim."""

    name: str
    title: str
    command: Callable[[list[str]], int]  # arguments → exit code
    claims: Sequence[Claim] = ()
    chapter: Chapter = "library"


Record = Experiment[Any, Any, Any] | Command
