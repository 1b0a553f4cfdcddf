"""im2col makes a convolution a matrix product: faster than loops, for 9 times the memory.

Convolutions of a 3×3 window with padding "same" and stride 1, in float32, at six sizes of real
networks: by loops in NumPy as textbooks write them, by im2col in NumPy, and by every implementation
of `fcnn.conv`, at one size also image by image in a compiled loop.

Command: python -m experiments im2col
"""

from math import log10

from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs, Share
from experiments.framework.experiment import Experiment
from experiments.im2col.figures import by_memory, by_time, rows_of_4x4
from experiments.im2col.measure import IM2COL, LOOPS, Config, measure, parts, prepare, sizes
from experiments.im2col.tables import tables

ROUNDING = 1e-5  # of the largest output: about 100 units in the last place of float32
BY_SIZE = "log10 of the shortest time, loops − im2col; a pair is a size"


def evidence(m) -> list[Evidence]:
    found = list(sizes(m).values())
    if not found:
        return [NotJudged("no size was measured")] * 5
    plain = [r for r in found if not r["looped"]]
    decades = lambda name: [log10(min(r["seconds"][name])) for r in plain]
    errors = [e for r in found for e in r["errors"].values()]
    ratios = [each / r["input"] for r in plain for each in r["columns"].values()]
    tiled = [r["memory"]["tiled"] < r["memory"]["im2col"] for r in found]
    return [
        Share(sum(e <= ROUNDING for e in errors), len(errors)),
        Pairs(decades(LOOPS), decades(IM2COL)),
        Pairs(decades(LOOPS), decades("im2col")),
        Share(sum(ratio == 9 for ratio in ratios), len(ratios)),
        Share(sum(tiled), len(tiled)),
    ]


def notes(config: Config) -> list[str]:
    return [
        f"Times are the shortest of {config.rounds} interleaved runs, divided by the multiply-adds "
        "of a direct convolution. A size is images × height × width, channels → features; looped: "
        "image by image in a compiled loop, which only compiled programs have.",
        f"{LOOPS}: loops over images, rows, columns and features, with the products of one window "
        f"summed by NumPy. {IM2COL}: columns are copied and multiplied by NumPy. The other rows "
        "are implementations of fcnn.conv, compiled by XLA.",
        "im2col and tiled kilobytes: allocated by the compiled program while it runs, besides its "
        "input and output. tiled copies only the taps along one axis, in tiles of 2 MB.",
    ]


EXPERIMENT = Experiment(
    name="im2col",
    title="im2col makes a convolution a matrix product",
    description="Loops, im2col and every implementation of fcnn.conv, over sizes.",
    chapter="layers",
    sources="Chellapilla, Puri & Simard 2006",
    reach="Six sizes of 3×3 convolutions in float32, timed on one CPU; other processors and "
    "accelerators are not covered. NumPy's loops are those of textbooks, not the fastest "
    "that NumPy can do.",
    claims=(
        Claim(
            "Loops, im2col and all implementations compute the same convolution",
            "programs × sizes with an error of at most 1e-5 of the largest output",
            "at least",
            1.0,
        ),
        Claim("im2col in NumPy is 10 times as fast as loops", BY_SIZE, margin=1.0, unit="decades"),
        Claim("im2col in JAX is 10 times as fast as loops", BY_SIZE, margin=1.0, unit="decades"),
        Claim(
            "The columns of a 3×3 window take exactly 9 times the memory of the input",
            "sizes that are not looped × (NumPy, JAX) with that ratio of bytes",
            "at least",
            1.0,
        ),
        Claim(
            "Tiles take less memory than im2col",
            "sizes, looped or not, at which the compiled program with tiles allocates fewer bytes",
            "at least",
            1.0,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={"rows": rows_of_4x4, "time": by_time, "memory": by_memory},
    summary=lambda config, m: (
        f"Convolutions of {len(sizes(m))} sizes by loops, by im2col and by every implementation of "
        "fcnn.conv."
    ),
    notes=notes,
)
