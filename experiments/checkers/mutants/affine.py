"""Mutants of affine maps and products: transposed, exchanged or missing factors, wrong sums."""

from functools import partial
from itertools import count

import jax.numpy as jnp

from experiments.checkers.build import problem
from fcnn import dense

of = partial(problem, "affine")
transposed = partial(of, "transposed")
factor = partial(of, "constant factor")
product = partial(of, "missing factor")
mean = partial(of, "mean for sum")
sum_ = partial(of, "sum for mean")
unreduced = partial(of, "not reduced")
too_far = partial(of, "reduced too far")
exchanged = partial(of, "arguments exchanged")
entry = partial(of, "single entry")
stopped = partial(of, "stopped")

DENSE = ((7, 3), (3, 5), (5,))
SEQUENCE = ((3, 7, 4), (4, 5), (5,))
SQUARE = ((7, 5), (5, 5), (5,))
MILLION = ((3, 1000), (1000, 1000))
TALL = ((1000, 500), (500, 3), (3,))
X = ((5, 7),)

scaled = lambda x, s: x * s[None]
times = lambda a, b: a * b
matmul = lambda a, b: a @ b
bilinear = lambda x, w, z: jnp.einsum("ni,ij,nj->n", x, w, z)
transpose = lambda x: x.T * 3
total = lambda x: x.sum(0)
mean_of_rows = lambda x: x.mean(1)
root_mean_square = lambda x: jnp.sqrt((x * x).mean(1))

spread = lambda row, x: jnp.broadcast_to(row, x.shape)
calls = count(1)

MUTANTS = (
    transposed("dense dw: dyᵀ x", dense, SQUARE, dw=lambda x, dy: dy.T @ x),
    transposed("dense dx: w for wᵀ", dense, SQUARE, dx=lambda w, dy: dy @ w),
    transposed("dense dw: 300 by 300", dense, ((4, 300), (300, 300)), dw=lambda g: g.T),
    transposed("transpose: 3 dy", transpose, ((5, 5),), dx=lambda dy: 3 * dy),
    transposed(
        "matmul da: of each of a batch",
        matmul,
        ((3, 5, 5), (3, 5, 5)),
        da=lambda b, dy: b @ dy.swapaxes(1, 2),
    ),
    transposed(
        "bilinear dw: z xᵀ",
        bilinear,
        ((7, 5), (5, 5), (7, 5)),
        dw=lambda x, z, dy: jnp.einsum("n,ni,nj->ij", dy, z, x),
    ),
    unreduced("dense db: dy", dense, DENSE, db=lambda dy: dy),
    unreduced("dense db: summed over examples alone", dense, SEQUENCE, db=lambda dy: dy.sum(0)),
    unreduced("scaled ds: x dy", scaled, ((7, 5), (5,)), ds=lambda x, dy: x * dy),
    mean("dense db: averaged", dense, DENSE, db=lambda dy: dy.mean(0)),
    mean("dense dw: averaged", dense, DENSE, dw=lambda x, dy: x.T @ dy / len(x)),
    mean("dense dx: averaged over features", dense, DENSE, dx=lambda w, dy: dy @ w.T / dy.shape[1]),
    mean("dense db: over examples and steps", dense, SEQUENCE, db=lambda dy: dy.mean((0, 1))),
    mean("dense dw: of 1000 examples", dense, TALL, dw=lambda x, dy: x.T @ dy / len(x)),
    mean("total: averaged", total, X, dx=lambda x, dy: spread(dy[None] / len(x), x)),
    sum_("mean of rows: not divided", mean_of_rows, X, dx=lambda x, dy: spread(dy[:, None], x)),
    sum_(
        "root mean square: not divided",
        root_mean_square,
        X,
        dx=lambda x, y, dy: x * (dy / y)[:, None],
    ),
    factor(
        "mean of rows: over the other axis",
        mean_of_rows,
        X,
        dx=lambda x, dy: spread(dy[:, None] / len(x), x),
    ),
    factor("dense dw: sign", dense, DENSE, dw=lambda x, dy: -x.T @ dy),
    factor("dense dx: halved", dense, DENSE, dx=lambda w, dy: dy @ w.T / 2),
    factor("transpose: 3 forgotten", transpose, ((5, 7),), dx=lambda dy: dy.T),
    too_far("dense db: over features too", dense, DENSE, db=lambda b, dy: spread(dy.sum(), b)),
    too_far(
        "scaled ds: over all", scaled, ((7, 5), (5,)), ds=lambda s, x, dy: spread((x * dy).sum(), s)
    ),
    too_far("total: one number", total, X, dx=lambda x, dy: spread(dy.sum(), x)),
    product("dense dw: dy forgotten", dense, DENSE, dw=lambda x, dy: x.T @ jnp.ones_like(dy)),
    product("dense dw: x forgotten", dense, DENSE, dw=lambda w, dy: spread(dy.sum(0)[None], w)),
    product("dense dx: w forgotten", dense, DENSE, dx=lambda x, dy: spread(dy.sum(1)[:, None], x)),
    product("scaled ds: x forgotten", scaled, ((7, 5), (5,)), ds=lambda dy: dy.sum(0)),
    product("scaled dx: s forgotten", scaled, ((7, 5), (5,)), dx=lambda dy: dy),
    product("times da: dy forgotten", times, X * 2, da=lambda b: b),
    exchanged("times: a dy for a", times, X * 2, da=lambda a, dy: a * dy, db=lambda b, dy: b * dy),
    exchanged(
        "matmul: da for b",
        matmul,
        ((5, 5), (5, 5)),
        da=lambda a, dy: a.T @ dy,
        db=lambda b, dy: dy @ b.T,
    ),
    exchanged(
        "bilinear: dx for z",
        bilinear,
        ((7, 5), (5, 5), (7, 5)),
        dx=lambda x, w, dy: dy[:, None] * (x @ w),
        dz=lambda w, z, dy: dy[:, None] * (z @ w.T),
    ),
    entry("dense dw: one × 1.1 of 10⁶", dense, MILLION, dw=lambda g: g.at[4, 567].multiply(1.1)),
    entry("dense dw: the last 0 of 10⁶", dense, MILLION, dw=lambda g: g.at[-1, -1].set(0)),
    entry("dense dw: one 0 of 15", dense, DENSE, dw=lambda g: g.at[1, 3].set(0)),
    entry("dense db: the first", dense, DENSE, db=lambda g: g.at[0].multiply(1.1)),
    stopped("dense dx: zeros", dense, DENSE, dx=lambda x: jnp.zeros_like(x)),
    stopped("dense db: none", dense, DENSE, db=None),
    of(
        "not deterministic",
        "dense dw: added up call by call",
        dense,
        DENSE,
        dw=lambda g: g * next(calls),
    ),
)
