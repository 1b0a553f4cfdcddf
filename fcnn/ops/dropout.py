"""Dropout: set entries to 0 at random in training.

With a random mask k, which is 1 with probability 1 - rate and otherwise 0,

    inverted    y = k x / (1 - rate)              dx = k dy / (1 - rate)
    classic     y = k x  in training              dx = k dy
                y = (1 - rate) x  in evaluation   dx = (1 - rate) dy

In the inverted form the expected y is x, so evaluation needs no dropout. In the classic form y in
evaluation is the expected y of training. The operators differ in which entries of x share one k:

    dropout, classic_dropout    none: k is drawn for every entry
    spatial_dropout             all positions of one channel of one example
    stochastic_depth            all entries of one example

The mask k is saved. The same key gives the same mask.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.op import operator
from fcnn.ops.validation import (
    require,
    require_flags,
    require_floats,
    require_key,
    require_numbers,
    require_rank,
)

X = Float[Array, "..."]
RandomKey = Key[Array, ""] | UInt32[Array, "2"]


@operator()
def dropout(x: X, key: RandomKey, *, rate: float) -> X:
    """Dropout: set entries to 0 with probability `rate`, and divide the other entries by 1 - rate.

    Shapes: x (...), key () -> y (...).
    Options:
        rate: the probability of dropping an entry.
    Units:  those of x.
    Raises: ValueError unless 0 <= rate < 1; TypeError if x does not hold floats, rate is not a
            number, or key is not one random key.
    Cost:   one random number per entry; one byte per entry is saved.
    Source: Srivastava et al. 2014; the division: Krizhevsky 2012, "cuda-convnet".

    >>> y = fcnn.dropout(jnp.ones((100, 100)), jax.random.key(0), rate=0.5)
    >>> jnp.unique(y), bool(0.4 < (y == 0).mean() < 0.6)
    (Array([0., 2.], dtype=float32), True)
    """
    return dropout.fwd_rule(x, key, rate=rate)[0]


@operator()
def spatial_dropout(
    x: Float[Array, "n *size c"], key: RandomKey, *, rate: float
) -> Float[Array, "n *size c"]:
    """Spatial dropout: set whole channels to 0 with probability `rate`, scale the other channels.

    Shapes: x (n, *size, c), key () -> y (n, *size, c).
    Options:
        rate: the probability of dropping a channel; other channels are divided by 1 - rate.
    Units:  those of x.
    Raises: ValueError unless 0 <= rate < 1, or if x has fewer than 2 axes; TypeError if x does not
            hold floats, rate is not a number, or key is not one random key.
    Cost:   one random number per channel and example; one byte per number is saved.
    Source: Tompson et al., arXiv:1411.4280.

    >>> y = fcnn.spatial_dropout(jnp.ones((8, 5, 4)), jax.random.key(0), rate=0.5)
    >>> jnp.unique(y), bool((y == y[:, :1]).all())  # equal at all positions
    (Array([0., 2.], dtype=float32), True)
    """
    return spatial_dropout.fwd_rule(x, key, rate=rate)[0]


@operator()
def stochastic_depth(
    x: Float[Array, "n ..."], key: RandomKey, *, rate: float
) -> Float[Array, "n ..."]:
    """Stochastic depth: set whole examples to 0 with probability `rate`, scale the other examples.

    It is meant for the branch of a residual block. The inverted form is used.

    Shapes: x (n, ...), key () -> y (n, ...).
    Options:
        rate: the probability of dropping an example; other examples are divided by 1 - rate.
    Units:  those of x.
    Raises: ValueError unless 0 <= rate < 1, or if x has no axes; TypeError if x does not hold
            floats, rate is not a number, or key is not one random key.
    Cost:   one random number per example; one byte per number is saved.
    Source: Huang et al., arXiv:1603.09382.

    >>> y = fcnn.stochastic_depth(jnp.ones((16, 3)), jax.random.key(0), rate=0.5)
    >>> jnp.unique(y), bool((y == y[:, :1]).all())  # equal within an example
    (Array([0., 2.], dtype=float32), True)
    """
    return stochastic_depth.fwd_rule(x, key, rate=rate)[0]


MASK_SHAPES = {  # the shape of k, from the shape of x
    dropout: lambda shape: shape,
    spatial_dropout: lambda shape: (shape[0], *(1 for _ in shape[1:-1]), shape[-1]),
    stochastic_depth: lambda shape: (shape[0], *(1 for _ in shape[1:])),
}


def _inverted(op, mask_shape):
    def fwd(x, key, *, rate):
        keep = jax.random.bernoulli(key, 1.0 - rate, mask_shape(x.shape))
        return _kept(keep, x / (1 - rate)), keep

    def bwd(keep, dy, *, rate):
        return _kept(keep, dy / (1 - rate)), None

    op.fwd(fwd)
    op.bwd(bwd)


for op, mask_shape in MASK_SHAPES.items():
    _inverted(op, mask_shape)


@operator()
def classic_dropout(x: X, key: RandomKey | None = None, *, rate: float, train: bool) -> X:
    """Classic dropout: set entries to 0 with probability `rate` in training, scale in evaluation.

    Shapes: x (...), key () -> y (...). Only training needs a key.
    Options:
        rate: the probability of dropping an entry; in evaluation x is multiplied by 1 - rate.
        train: whether to drop entries (True) or to scale them (False).
    Units:  those of x.
    Raises: ValueError unless 0 <= rate < 1, or without a key in training; TypeError if x does not
            hold floats, rate is not a number, train is not a bool, or key is not one random key.
    Cost:   one random number per entry in training, and one byte per entry is saved.
    Source: Hinton et al., arXiv:1207.0580.

    >>> fcnn.classic_dropout(jnp.ones(2), rate=0.25, train=False)
    Array([0.75, 0.75], dtype=float32)
    """
    return classic_dropout_fwd(x, key, rate=rate, train=train)[0]


@classic_dropout.fwd
def classic_dropout_fwd(x, key, *, rate, train):
    if not train:
        return (1 - rate) * x, None
    keep = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return _kept(keep, x), keep


@classic_dropout.bwd
def classic_dropout_bwd(keep, dy, *, rate, train):
    return _kept(keep, dy) if train else (1 - rate) * dy, None


def _kept(keep, x):
    return jnp.where(jnp.broadcast_to(keep, x.shape), x, jnp.zeros_like(x))


def _validate(rank, x, key, *, rate):
    require_floats(x=x)
    require_rank(rank, x=x)
    require_numbers(rate=rate)
    require(0 <= rate < 1, f"rate {rate} must lie in [0, 1)")
    if key is not None:
        require_key(key)


@classic_dropout.validate
def _validate_classic(x, key, *, rate, train):
    _validate(0, x, key, rate=rate)
    require_flags(train=train)
    require(not train or key is not None, "training needs a key; write key=jax.random.key(0)")


random_key = lambda rng: jax.random.key(int(rng.integers(2**31)))
for op, rank in ((dropout, 0), (spatial_dropout, 2), (stochastic_depth, 1)):
    op.validate(partial(_validate, rank))
    op.cases = (
        Case("rate 0.5", ((6, 2, 3), random_key), {"rate": 0.5}),
        Case("rate 0", ((4, 5), random_key), {"rate": 0.0}),
        Case("empty", ((0, 5), random_key), {"rate": 0.1}),
        extreme("huge", normals((2, 3, 2), 1e9), random_key, rate=0.5),
        extreme("tiny", normals((2, 3, 2), 1e-30), random_key, rate=0.5),
        rejects("rate 1.0 must lie in", (4, 5), random_key, rate=1.0),
        rejects("rate -0.1 must lie in", (4, 5), random_key, rate=-0.1),
        rejects("key holds .*, not one random key", (4, 5), ints((2,)), rate=0.1, kind=TypeError),
        rejects("x holds int32", ints((4, 5)), random_key, rate=0.1, kind=TypeError),
    )
spatial_dropout.cases += (rejects("needs at least 2 axes", (4,), random_key, rate=0.1),)
stochastic_depth.cases += (rejects("needs at least 1 axis", (), random_key, rate=0.1),)
classic_dropout.cases = (
    Case("training", ((4, 5), random_key), {"rate": 0.3, "train": True}),
    Case("evaluation", ((4, 5), None), {"rate": 0.3, "train": False}),
    Case("empty", ((0, 5), random_key), {"rate": 0.1, "train": True}),
    extreme("huge", normals((4, 5), 1e9), random_key, rate=0.3, train=True),
    rejects("rate 1.0 must lie in", (4, 5), random_key, rate=1.0, train=True),
    rejects("training needs a key; write key=", (4, 5), None, rate=0.1, train=True),
    rejects("train 1 must be True or False", (4, 5), random_key, rate=0.1, train=1, kind=TypeError),
    rejects("x holds int32", ints((4, 5)), random_key, rate=0.1, train=True, kind=TypeError),
)

MASKED = "the test compares with the formula and the mask that fcnn draws"
for op in (dropout, spatial_dropout):
    op.torch_difference = f"torch draws different random numbers; {MASKED}"
for op in (classic_dropout, stochastic_depth):
    op.torch_difference = f"torch has none; {MASKED}"
