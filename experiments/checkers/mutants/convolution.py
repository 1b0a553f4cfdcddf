"""Mutants of convolution's dx: a kernel that is not flipped, wrong cropping, positions skipped.

Most of these mutants are the correct dx of another convolution, with a flipped kernel or other
padding.
"""

from functools import partial

import jax.numpy as jnp

from experiments.checkers.build import correct_backward, problem
from fcnn import conv, conv_transpose, frelu, separable_conv

of = partial(problem, "convolution")
flipped = partial(of, "flipped")
exchanged = partial(of, "channels exchanged")
shifted = partial(of, "shifted")
border = partial(of, "border dropped")
skipped = partial(of, "positions skipped")
transposed = partial(of, "transposed")
entry = partial(of, "single entry")
mean = partial(of, "mean for sum")

PLAIN = ((4, 7, 8, 3), (3, 5, 3, 6))
SQUARE = ((4, 7, 8, 5), (3, 3, 5, 6))
EQUAL = ((3, 7, 8, 5), (3, 3, 5, 5))
LINE = ((4, 11, 3), (5, 3, 6))
CUBE = ((3, 4, 5, 6, 3), (3, 2, 3, 3, 5))
GROUPED = ((3, 7, 8, 12), (3, 3, 4, 12))
DEPTH = ((3, 7, 8, 5), (3, 3, 1, 5))
POINT = ((3, 4, 6, 5), (1, 1, 5, 5))
EQUAL_LINE = ((3, 11, 4), (5, 4, 4))
EVEN = ((3, 7, 8, 5), (4, 4, 5, 6))
LARGE = ((4, 13, 11, 5), (4, 5, 5, 6))
WIDE = ((1, 250, 400, 10), (3, 3, 10, 3))
SEPARABLE = ((3, 7, 8, 5), (3, 3, 1, 5), (5, 6))

same = partial(conv, padding="same")
same_lower = partial(conv, padding="same_lower")
causal = partial(conv, padding="causal")
acausal = partial(conv, padding=((0, 4),))
dilated = partial(conv, dilation=2)
by_3 = partial(conv, stride=3)
by_2 = partial(conv, stride=2, padding=1)
grouped = partial(conv, groups=3, padding=1)
depthwise = partial(conv, groups=5)
reflected = partial(conv, padding=1, padding_mode="reflect")
wrapped = partial(conv, padding=1, padding_mode="wrap")
edged = partial(conv, padding=2, padding_mode="edge")
zeros = partial(conv, padding=1)
spread = conv_transpose


def with_kernel(f, change):
    """dx of the convolution f with the kernel change(w) in place of w."""
    return lambda x, w, dy: correct_backward(f)(x, change(w), dy)[0]


def by_other(f):
    """dx of the convolution f, which differs from the forward pass."""
    return lambda x, w, dy: correct_backward(f)(x, w, dy)[0]


def separable(x, depthwise, pointwise, dy):
    return correct_backward(separable_conv)(x, flip(depthwise), pointwise, dy)[0]


def cropped_at_0(x, w, dy):
    """dx of the padded image, cropped by 2 cells at the ends, not 1 cell at both sides."""
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return correct_backward(conv)(wide, w, dy)[0][:, :-2, :-2]


def alone(*at):
    """Function of a gradient that sets its entries outside `at` to 0."""
    return lambda g: jnp.zeros_like(g).at[:, *at].set(g[:, *at])


def nearest(g):
    """Nearest-neighbour upsampling by 2: each odd position copies the even one before."""
    return jnp.repeat(jnp.repeat(g[:, ::2, ::2], 2, 1), 2, 2)[:, : g.shape[1], : g.shape[2]]


def within_groups(w):
    return w.reshape(3, 3, 4, 3, 4).swapaxes(2, 4).reshape(w.shape)


def shuffled(g):
    """Channels in the order (channel, group) in place of (group, channel)."""
    return g.reshape(*g.shape[:-1], 3, 4).swapaxes(-1, -2).reshape(g.shape)


flip = lambda w: w[::-1, ::-1]
flip_rows = lambda w: w[::-1]
flip_columns = lambda w: w[:, ::-1]
flip_all = lambda w: w[::-1, ::-1, ::-1]
exchange = lambda w: w.swapaxes(-1, -2)
rows_as_columns = lambda w: w.swapaxes(0, 1)
inside, thirds = slice(1, -1), slice(None, None, 3)

MUTANTS = (
    flipped("conv dx: not flipped", conv, PLAIN, dx=with_kernel(conv, flip)),
    flipped("conv dx: flipped along columns alone", same, SQUARE, dx=with_kernel(same, flip_rows)),
    flipped("conv dx: flipped along rows alone", same, SQUARE, dx=with_kernel(same, flip_columns)),
    flipped("conv 1-D dx: not flipped", conv, LINE, dx=with_kernel(conv, flip_rows)),
    flipped("causal conv dx: not flipped", causal, LINE, dx=with_kernel(causal, flip_rows)),
    flipped("conv 3-D dx: not flipped", conv, CUBE, dx=with_kernel(conv, flip_all)),
    flipped("dilated conv dx: not flipped", dilated, SQUARE, dx=with_kernel(dilated, flip)),
    flipped("strided conv dx: not flipped", by_2, SQUARE, dx=with_kernel(by_2, flip)),
    flipped("depthwise conv dx: not flipped", depthwise, DEPTH, dx=with_kernel(depthwise, flip)),
    flipped("grouped conv dx: not flipped", grouped, GROUPED, dx=with_kernel(grouped, flip)),
    flipped("conv_transpose dx: flipped", spread, PLAIN, dx=with_kernel(spread, flip)),
    flipped("separable_conv dx: not flipped", separable_conv, SEPARABLE, dx=separable),
    exchanged("conv dx: exchanged", conv, EQUAL, dx=with_kernel(conv, exchange)),
    exchanged("conv 1×1 dx: exchanged", conv, POINT, dx=with_kernel(conv, exchange)),
    exchanged("conv 1-D dx: exchanged", conv, EQUAL_LINE, dx=with_kernel(conv, exchange)),
    exchanged(
        "grouped conv dx: exchanged", grouped, GROUPED, dx=with_kernel(grouped, within_groups)
    ),
    exchanged("grouped conv dx: groups as channels", grouped, GROUPED, dx=shuffled),
    exchanged("conv_transpose dx: exchanged", spread, EQUAL, dx=with_kernel(spread, exchange)),
    shifted("conv dx: by the padding", zeros, SQUARE, dx=cropped_at_0),
    shifted("causal conv dx: acausal", causal, LINE, dx=by_other(acausal)),
    shifted("conv dx: same as same_lower", same, EVEN, dx=by_other(same_lower)),
    shifted("conv_transpose dx: by one", spread, SQUARE, dx=lambda g: jnp.roll(g, 1, 2)),
    border("conv dx: interior alone", zeros, SQUARE, dx=alone(inside, inside)),
    border("reflected conv dx: not folded", reflected, SQUARE, dx=by_other(zeros)),
    border("wrapped conv dx: not folded", wrapped, SQUARE, dx=by_other(zeros)),
    border("edged conv dx: not folded", edged, SQUARE, dx=by_other(partial(conv, padding=2))),
    skipped("conv dx, stride 3: 0 between", by_3, LARGE, dx=alone(thirds, thirds)),
    skipped("conv dx, stride 2: odd rows 0", by_2, SQUARE, dx=lambda g: g.at[:, 1::2].set(0)),
    skipped("conv dx, stride 2: as nearest", by_2, SQUARE, dx=nearest),
    skipped("conv 1-D dx, stride 3: 0 between", by_3, LINE, dx=alone(thirds)),
    transposed("conv dx: rows as columns", same, SQUARE, dx=with_kernel(same, rows_as_columns)),
    entry("conv dx: one × 1.1 of 10⁶", conv, WIDE, dx=lambda g: g.at[0, 123, 321, 7].multiply(1.1)),
    entry("conv dx: one 0 of 10⁶", same, WIDE, dx=lambda g: g.at[0, 77, 200, 4].set(0)),
    entry("conv dx: the last", conv, PLAIN, dx=lambda g: g.at[-1, -1, -1, -1].multiply(1.1)),
    mean("conv dx: averaged over features", same, SQUARE, dx=lambda g, dy: g / dy.shape[-1]),
    mean("conv 1-D dx: averaged over taps", conv, LINE, dx=lambda g, w: g / len(w)),
    of("constant factor", "conv dx: twice", same, SQUARE, dx=lambda g: 2 * g),
    of("stopped", "conv dx: zeros", conv, PLAIN, dx=lambda x: jnp.zeros_like(x)),
    of("stopped", "frelu dx: none", frelu, DEPTH, dx=None),
)
