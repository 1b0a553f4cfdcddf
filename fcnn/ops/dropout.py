"""Dropout: hide entries at random while training.

With keep k drawn at random, 1 with probability 1 - rate and else 0,

    inverted    y = k x / (1 - rate)          dx = k dy / (1 - rate)
    classic     y = k x  in training          dx = k dy
                y = (1 - rate) x  later       dx = (1 - rate) dy

The inverted form makes the mean of y equal x, so that nothing is left to do later; the classic one
makes later y the mean of the training's. What shares one k tells the operators apart:

    dropout, classic_dropout    nothing: each entry has its own
    spatial_dropout             a channel of an example, over all of space
    stochastic_depth            an example

Saved is the mask k.

Shapes: y has the shape and dtype of x. The same key gives the same mask.
Units:  those of x; `rate` is the probability of dropping.
Raises: ValueError unless 0 <= rate < 1; TypeError for integers.
Cost:   one random number per k; one byte per k is saved.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from fcnn.ops.op import Case, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import (
    require,
    require_flags,
    require_floats,
    require_key,
    require_numbers,
    require_rank,
)

X = Float[Array, "..."]
AKey = Key[Array, ""] | UInt32[Array, "2"]


@operator()
def dropout(x: X, key: AKey, *, rate: float) -> X:
    """Set each entry to 0 with probability `rate`, and divide the others by 1 - rate.

    Source: Srivastava et al. 2014; the division: Krizhevsky 2012, "cuda-convnet".
    """
    return dropout.fwd_rule(x, key, rate=rate)[0]


@operator()
def spatial_dropout(
    x: Float[Array, "n *size c"], key: AKey, *, rate: float
) -> Float[Array, "n *size c"]:
    """Set whole channels of an example to 0 with probability `rate`, and scale up the others.

    Source: Tompson et al., arXiv:1411.4280.
    """
    return spatial_dropout.fwd_rule(x, key, rate=rate)[0]


@operator()
def stochastic_depth(x: Float[Array, "n ..."], key: AKey, *, rate: float) -> Float[Array, "n ..."]:
    """Set whole examples to 0 with probability `rate`, and scale up the others, within a residual.

    Source: Huang et al., arXiv:1603.09382, in the inverted form.
    """
    return stochastic_depth.fwd_rule(x, key, rate=rate)[0]


ONE_FOR = {  # the shape of k, by that of x
    dropout: lambda shape: shape,
    spatial_dropout: lambda shape: (shape[0], *(1 for _ in shape[1:-1]), shape[-1]),
    stochastic_depth: lambda shape: (shape[0], *(1 for _ in shape[1:])),
}


def _inverted(op, one_for):
    def fwd(x, key, *, rate):
        keep = jax.random.bernoulli(key, 1.0 - rate, one_for(x.shape))
        return _kept(keep, x / (1 - rate)), keep

    def bwd(keep, dy, *, rate):
        return _kept(keep, dy / (1 - rate)), None

    op.fwd(fwd)
    op.bwd(bwd)


for op, one_for in ONE_FOR.items():
    _inverted(op, one_for)


@operator()
def classic_dropout(x: X, key: AKey | None = None, *, rate: float, train: bool) -> X:
    """Set each entry to 0 with probability `rate` in training; later scale all by 1 - rate.

    Shapes: any; only training needs a key. Source: Hinton et al., arXiv:1207.0580.
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


def _validate(name, rank, x, key, *, rate):
    require_floats(name, x=x)
    require_rank(name, rank, x=x)
    require_numbers(name, rate=rate)
    require(0 <= rate < 1, f"{name}: rate {rate} must lie in [0, 1)")
    if key is not None:
        require_key(name, key)


@classic_dropout.validate
def _validate_classic(x, key, *, rate, train):
    _validate("classic_dropout", 0, x, key, rate=rate)
    require_flags("classic_dropout", train=train)
    require(not train or key is not None, "classic_dropout: training needs a key")


a_key = lambda rng: jax.random.key(int(rng.integers(2**31)))
for op, rank in ((dropout, 0), (spatial_dropout, 2), (stochastic_depth, 1)):
    op.validate(partial(_validate, op.name, rank))
    op.cases = (
        Case("half", ((6, 2, 3), a_key), {"rate": 0.5}),
        Case("none", ((4, 5), a_key), {"rate": 0.0}),
        Case("empty", ((0, 5), a_key), {"rate": 0.1}),
        extreme("huge", normals((2, 3, 2), 1e9), a_key, rate=0.5),
        extreme("tiny", normals((2, 3, 2), 1e-30), a_key, rate=0.5),
        rejects("rate 1.0 must lie in", (4, 5), a_key, rate=1.0),
        rejects("rate -0.1 must lie in", (4, 5), a_key, rate=-0.1),
        rejects("key holds .*, not one random key", (4, 5), ints((2,)), rate=0.1, kind=TypeError),
        rejects("x holds int32", ints((4, 5)), a_key, rate=0.1, kind=TypeError),
    )
spatial_dropout.cases += (rejects("needs at least 2 axes", (4,), a_key, rate=0.1),)
stochastic_depth.cases += (rejects("needs at least 1 axes", (), a_key, rate=0.1),)
classic_dropout.cases = (
    Case("training", ((4, 5), a_key), {"rate": 0.3, "train": True}),
    Case("later", ((4, 5), None), {"rate": 0.3, "train": False}),
    Case("empty", ((0, 5), a_key), {"rate": 0.1, "train": True}),
    extreme("huge", normals((4, 5), 1e9), a_key, rate=0.3, train=True),
    rejects("rate 1.0 must lie in", (4, 5), a_key, rate=1.0, train=True),
    rejects("training needs a key", (4, 5), None, rate=0.1, train=True),
    rejects("train 1 must be True or False", (4, 5), a_key, rate=0.1, train=1, kind=TypeError),
    rejects("x holds int32", ints((4, 5)), a_key, rate=0.1, train=True, kind=TypeError),
)

for op in (dropout, classic_dropout, spatial_dropout, stochastic_depth):
    op.torch_difference = (
        "draws other random numbers: compared with its formula and the mask drawn here"
    )
