"""Mutants of convolution's dw and db: taps out of order, borders dropped, sums over wrong axes."""

from functools import partial

import jax.numpy as jnp

from experiments.checkers.build import correct_backward, one_sum, problem
from fcnn import conv, conv_transpose, separable_conv

of = partial(problem, "convolution")
flipped = partial(of, "flipped")
exchanged = partial(of, "channels exchanged")
shifted = partial(of, "shifted")
border = partial(of, "border dropped")
transposed = partial(of, "transposed")
entry = partial(of, "single entry")
mean = partial(of, "mean for sum")
unreduced = partial(of, "not reduced")
too_far = partial(of, "reduced too far")

PLAIN = ((4, 7, 8, 3), (3, 5, 3, 6), (6,))
SQUARE = ((4, 7, 8, 5), (3, 3, 5, 6))
EQUAL = ((3, 7, 8, 5), (3, 3, 5, 5))
LINE = ((4, 11, 3), (5, 3, 6))
CUBE = ((3, 4, 5, 6, 3), (3, 2, 3, 3, 5))
DEPTHWISE = ((3, 7, 8, 5), (3, 3, 1, 5))
MANY = ((1, 5, 6, 100), (3, 3, 100, 150))
SEPARABLE = ((3, 7, 8, 5), (3, 3, 1, 5), (5, 5))

zeros = partial(conv, padding=1)
by_2 = partial(conv, stride=2)
depthwise = partial(conv, groups=5)


def dw_of(f, *args):
    return correct_backward(f)(*args)[1]


MUTANTS = (
    flipped("conv dw: both axes", conv, PLAIN, dw=lambda g: g[::-1, ::-1]),
    flipped("conv dw: one axis", conv, PLAIN, dw=lambda g: g[:, ::-1]),
    flipped("conv 1-D dw", conv, LINE, dw=lambda g: g[::-1]),
    flipped("conv 3-D dw", conv, CUBE, dw=lambda g: g[::-1, ::-1, ::-1]),
    flipped("strided conv dw", by_2, SQUARE, dw=lambda g: g[::-1, ::-1]),
    flipped("depthwise conv dw", depthwise, DEPTHWISE, dw=lambda g: g[::-1, ::-1]),
    flipped("conv_transpose dw", conv_transpose, PLAIN, dw=lambda g: g[::-1, ::-1]),
    flipped(
        "separable_conv ddepthwise", separable_conv, SEPARABLE, ddepthwise=lambda g: g[::-1, ::-1]
    ),
    exchanged("conv dw: dyᵀ x", conv, EQUAL, dw=lambda g: g.swapaxes(2, 3)),
    exchanged(
        "conv 1×1 dw: dyᵀ x", conv, ((3, 4, 6, 5), (1, 1, 5, 5)), dw=lambda g: g.swapaxes(2, 3)
    ),
    exchanged("separable_conv dpointwise", separable_conv, SEPARABLE, dpointwise=lambda g: g.T),
    transposed("conv dw: rows as columns", conv, SQUARE, dw=lambda g: g.swapaxes(0, 1)),
    transposed(
        "depthwise conv dw: rows as columns", depthwise, DEPTHWISE, dw=lambda g: g.swapaxes(0, 1)
    ),
    shifted(
        "conv dw: padded on one side",
        zeros,
        SQUARE,
        dw=lambda x, w, dy: dw_of(partial(conv, padding=((2, 0), (1, 1))), x, w, dy),
    ),
    shifted(
        "causal conv dw: acausal",
        partial(conv, padding="causal"),
        LINE,
        dw=lambda x, w, dy: dw_of(partial(conv, padding=((0, 4),)), x, w, dy),
    ),
    shifted("conv dw: by a channel", conv, PLAIN, dw=lambda g: jnp.roll(g, 1, 2)),
    border(
        "conv dw: padding ignored",
        zeros,
        SQUARE,
        dw=lambda x, w, dy: dw_of(conv, x, w, dy[:, 1:-1, 1:-1]),
    ),
    border(
        "conv dw: reflection ignored",
        partial(conv, padding=1, padding_mode="reflect"),
        SQUARE,
        dw=lambda x, w, dy: dw_of(zeros, x, w, dy),
    ),
    border(
        "conv 1-D dw: padding ignored",
        partial(conv, padding=2),
        LINE,
        dw=lambda x, w, dy: dw_of(conv, x, w, dy[:, 2:-2]),
    ),
    mean("conv dw: averaged over examples", conv, SQUARE, dw=lambda g, x: g / len(x)),
    mean("conv dw: averaged over places", zeros, SQUARE, dw=lambda g, dy: g / (dy[0, ..., 0].size)),
    mean("conv db: averaged", conv, PLAIN, db=lambda dy: dy.mean((0, 1, 2))),
    unreduced("conv db: over examples alone", conv, PLAIN, db=lambda dy: dy.sum(0)),
    unreduced("conv db: over places alone", conv, PLAIN, db=lambda dy: dy.sum((1, 2))),
    too_far("conv db: over features too", conv, PLAIN, db=one_sum),
    too_far(
        "depthwise conv dw: over channels too",
        depthwise,
        DEPTHWISE,
        dw=lambda g: g * 0 + g.sum(-1, keepdims=True),
    ),
    too_far("conv_transpose db: over features too", conv_transpose, PLAIN, db=one_sum),
    entry(
        "conv dw: one × 1.1 of 135,000", conv, MANY, dw=lambda g: g.at[1, 2, 31, 41].multiply(1.1)
    ),
    entry("conv dw: one 0", conv, SQUARE, dw=lambda g: g.at[2, 0, 3, 1].set(0)),
    of(
        "missing factor",
        "conv dw: dy forgotten",
        conv,
        SQUARE,
        dw=lambda x, w, dy: dw_of(conv, x, w, dy * 0 + 1),
    ),
    of(
        "missing factor",
        "conv dw: x forgotten",
        conv,
        SQUARE,
        dw=lambda x, w, dy: dw_of(conv, x * 0 + 1, w, dy),
    ),
    of("constant factor", "conv dw: sign", conv, SQUARE, dw=lambda g: -g),
    of("stopped", "conv dw: zeros", conv, PLAIN, dw=lambda w: jnp.zeros_like(w)),
    of("stopped", "conv db: none", conv, PLAIN, db=None),
)
