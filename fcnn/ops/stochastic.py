"""Dropout: hide entries at random while training.

With keep k drawn per entry, 1 with probability 1 - rate and else 0,

    y = k x / (1 - rate)          dx = k dy / (1 - rate)

The division (the "inverted" form) makes the mean of y equal x, so that nothing is left to do when
testing. Saved is the mask k.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, UInt32

from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.refusal import require, require_floats, require_numbers


@operator()
def dropout(
    x: Float[Array, "..."], key: Key[Array, ""] | UInt32[Array, "2"], *, rate: float
) -> Float[Array, "..."]:
    """Set each entry to 0 with probability `rate`, and divide the others by 1 - rate.

    Shapes: any; y has the shape and dtype of x. The same key gives the same mask.
    Units:  those of x; `rate` is the probability of dropping.
    Raises: ValueError unless 0 <= rate < 1; TypeError for integers.
    Cost:   one random number per entry; one byte per entry is saved.
    Source: Srivastava et al. 2014.
    """
    return dropout_fwd(x, key, rate=rate)[0]


@dropout.fwd
def dropout_fwd(x, key, *, rate):
    keep = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return _kept(keep, x, rate), keep


@dropout.bwd
def dropout_bwd(keep, dy, *, rate):
    return _kept(keep, dy, rate), None


def _kept(keep, x, rate):
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))


@dropout.check
def _check(x, key, *, rate):
    require_floats("dropout", x=x)
    require_numbers("dropout", rate=rate)
    require(0 <= rate < 1, f"dropout: rate {rate} must lie in [0, 1)")


itself = lambda key: key
dropout.cases = (
    Case("half", ((40, 5), itself), {"rate": 0.5}),
    Case("none", ((4, 5), itself), {"rate": 0.0}),
    Case("empty", ((0, 5), itself), {"rate": 0.1}),
    refused("rate 1.0 must lie in", (4, 5), itself, rate=1.0),
    refused("rate -0.1 must lie in", (4, 5), itself, rate=-0.1),
    refused("x holds int32", ints((4, 5)), itself, rate=0.1, kind=TypeError),
)
