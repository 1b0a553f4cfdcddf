"""Convolution by loops, by im2col and by all implementations: outputs, seconds and bytes."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Output
from experiments.im2col.convolution import WINDOW, by_im2col, columns, loops
from fcnn.bench import seconds

LOOPS, IM2COL = "loops in NumPy", "im2col in NumPy"
EXAMPLE = "a 4×4 image"


@dataclass(frozen=True)
class Config(Output):
    rounds: int = 9
    """Timings of each program."""


class Size(NamedTuple):
    """A convolution of n images; with `looped`, image by image inside a compiled loop.

    A looped size is of compiled programs only: in NumPy it would be the same as the other one.
    """

    n: int
    side: int
    c: int
    o: int
    looped: bool = False

    @property
    def name(self) -> str:
        shape = f"{self.n}×{self.side}×{self.side} {self.c}→{self.o}"
        return f"{shape} looped" if self.looped else shape

    @property
    def multiply_adds(self) -> int:
        return self.n * self.side**2 * WINDOW**2 * self.c * self.o


SIZES = (
    Size(16, 8, 1, 16),  # the first convolution of a network for digits
    Size(4, 28, 1, 32),  # of a network for MNIST
    Size(4, 32, 3, 32),  # of a network for CIFAR-10
    Size(4, 28, 32, 32),
    Size(1, 56, 64, 32),
    Size(16, 7, 128, 64),
    Size(4, 28, 32, 32, looped=True),
)
SMOKE = (Size(2, 8, 1, 4), Size(2, 8, 1, 4, looped=True))


def prepare(config: Config) -> tuple[Config, Sequence[Size]]:
    if config.rounds < 1:
        raise ValueError(f"--rounds {config.rounds} must be at least 1")
    return config, SMOKE if config.smoke else SIZES


def parts(config: Config, sizes: Sequence[Size]) -> list[Part]:
    return [Part(EXAMPLE, cost=0.01), *(Part(size.name, size) for size in sizes)]


def measure(
    config: Config, sizes: Sequence[Size], todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name == EXAMPLE:
            x = jnp.arange(1.0, 17).reshape(1, 4, 4, 1)
            rows = fcnn.im2col(x, WINDOW)
            yield part.name, {"rows": rows.reshape(-1, WINDOW**2).astype(int).tolist()}
        else:
            log.note(f"compiling and timing {part.name} …")
            yield part.name, of_size(part.payload, 1 if config.smoke else config.rounds)


def of_size(size: Size, rounds: int) -> dict[str, Any]:
    """Errors, seconds by round, and bytes, of each program. A looped size has no columns."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((size.n, size.side, size.side, size.c), np.float32)
    w = rng.standard_normal((WINDOW, WINDOW, size.c, size.o), np.float32)
    on_device = jax.device_put((x, w))
    compiled = {
        impl: jax.jit(partial(convolution, impl, size.looped)).lower(x, w).compile()
        for impl in fcnn.conv.impls
    }
    in_numpy = {} if size.looped else {LOOPS: (loops, (x, w)), IM2COL: (by_im2col, (x, w))}
    programs = in_numpy | {impl: (run, on_device) for impl, run in compiled.items()}
    taken = {} if size.looped else {"NumPy": columns(x).nbytes, "JAX": jax_columns(x).nbytes}
    exact = loops(x.astype(np.float64), w.astype(np.float64))
    error = lambda y: float(np.abs(y - exact).max() / np.abs(exact).max())
    return {
        "looped": size.looped,
        "multiply_adds": size.multiply_adds,
        "input": x.nbytes,
        "columns": taken,
        "memory": {impl: temporary_bytes(run) for impl, run in compiled.items()},
        "errors": {name: error(np.asarray(run(*args))) for name, (run, args) in programs.items()},
        "seconds": seconds(programs, rounds=rounds),
    }


def sizes(m: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The measured sizes, without the example."""
    return {name: result for name, result in m.items() if name != EXAMPLE}


def temporary_bytes(compiled: Any) -> int:
    return compiled.memory_analysis().temp_size_in_bytes


def convolution(impl: str, looped: bool, x: jax.Array, w: jax.Array) -> jax.Array:
    of = lambda x: fcnn.conv(x, w, padding="same", impl=impl)
    return jax.lax.map(lambda image: of(image[None])[0], x) if looped else of(x)


def jax_columns(x: np.ndarray) -> jax.Array:
    return fcnn.im2col(jnp.asarray(x), WINDOW, padding="same")
