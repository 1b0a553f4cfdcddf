"""Dynamic loss scaling: gradients of float16 that would underflow are computed times a scale s.

    step           g = gradient of s · loss        in float16, small gradients are not 0
    update         g = g / s                       in the dtype of the parameters
    all finite     the update of the optimizer; after `growth_interval` such steps in a row, s = 2 s
    else           no update, s = s / 2, but at least 1

Powers of two scale without rounding. The scale is part of the state, so a continued run has it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.validation import named, require, require_counts, require_numbers
from fcnn.training.finite import all_finite
from fcnn.training.parts import require_optimizer

LARGEST = 2.0**100  # s times a loss stays finite in float32


class LossScale(NamedTuple):
    """State of `loss_scaled`."""

    scale: jax.Array  # float32
    good: jax.Array  # steps with finite gradients since the scale was last changed
    inner: optax.OptState


def loss_scaled(
    optimizer: optax.GradientTransformation,
    *,
    initial: float = 2.0**15,
    growth_interval: int = 2000,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer for gradients of a scaled loss, which `train_step` and `fit` then compute.

    A step whose gradients are not finite changes neither the parameters nor the state of the
    optimizer, and halves the scale. The step counts, and the model keeps its new state. Results
    show the loss without the scale. It is the outermost part of an optimizer.

    Options:
        optimizer: of optax.
        initial: scale of the first step; a power of two scales without rounding.
        growth_interval: steps with finite gradients after which the scale is doubled.
    Raises: TypeError if the first argument is not an optimizer, or growth_interval is not an
            integer; ValueError if an option is out of range.
    Source: Micikevicius et al., arXiv:1710.03740.

    >>> import optax
    >>> sgd = fcnn.training.loss_scaled(optax.sgd(0.5), initial=1024.0)
    >>> params = jnp.array([1.0])
    >>> update, state = sgd.update(jnp.array([2048.0]), sgd.init(params), params)
    >>> update, float(state.scale), int(state.good)
    (Array([-1.], dtype=float32), 1024.0, 1)
    >>> update, state = sgd.update(jnp.array([jnp.inf]), state, params)
    >>> update, float(state.scale), int(state.good)
    (Array([0.], dtype=float32), 512.0, 0)
    """
    with named("loss_scaled"):
        require_optimizer(optimizer)
        require_numbers(initial=initial)
        require(1 <= initial <= LARGEST, f"initial {initial} must lie in [1, 2**100]")
        require_counts(growth_interval=growth_interval)
    inner = optax.with_extra_args_support(optimizer)

    def init(params):
        scale = jnp.asarray(initial, jnp.float32)
        return LossScale(scale, jnp.zeros((), jnp.int32), inner.init(params))

    def update(updates, state, params=None, **extra):
        scale, good, before = state
        ok = all_finite(updates)
        g = jax.tree.map(lambda g: _divided(g, scale), updates)
        extra |= {"grad": g} if "grad" in extra else {}
        updates, new = inner.update(g, before, params, **extra)
        updates = jax.tree.map(lambda u: jnp.where(ok, u, 0), updates)
        new = jax.tree.map(lambda a, b: jnp.where(ok, a, b), new, before)
        good = jnp.where(ok, good + 1, 0)
        grown = good == growth_interval
        larger = jnp.where(grown, jnp.minimum(2 * scale, LARGEST), scale)
        scale = jnp.where(ok, larger, jnp.maximum(scale / 2, 1))
        return updates, LossScale(scale, jnp.where(grown, 0, good), new)

    return optax.GradientTransformationExtraArgs(init, update)


def loss_scale(opt_state: Any) -> jax.Array | None:
    """The scale of the loss in the state of an optimizer, or None if the loss is not scaled.

    Options:
        opt_state: state of the optimizer, such as train_state.opt_state.
    Raises: ValueError if `loss_scaled` is not the outermost part of the optimizer.

    >>> adam = fcnn.training.optimizer("adam", 1e-3, loss_scale=True)
    >>> fcnn.training.loss_scale(adam.init({"w": jnp.ones(2)}))
    Array(32768., dtype=float32)
    """
    if isinstance(opt_state, LossScale):
        return opt_state.scale
    is_scaled = lambda state: isinstance(state, LossScale)
    inside = any(map(is_scaled, jax.tree.leaves(opt_state, is_leaf=is_scaled)))
    write = "write loss_scaled(optax.chain(...))"
    require(not inside, f"loss_scaled must be the outermost part of the optimizer; {write}")
    return None


def _divided(g, scale):
    wide = accumulation_dtype(g.dtype)
    return (g.astype(wide) / scale.astype(wide)).astype(g.dtype)
