"""Code under vmap, jit, checkpoint, cond and custom rules, with nested arguments."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def per_sample(x, a, b):
    """Nested vmap over rows and columns with different axes."""
    cell = lambda u, v, w: jnp.sin(jnp.dot(u, v)) * w
    over_columns = jax.vmap(cell, in_axes=(None, 1, 0))
    return jax.vmap(over_columns, in_axes=(0, None, None), out_axes=1)(x, a, b)


@partial(jax.jit, static_argnames="power")
def _norm(x, power):
    return jnp.sum(jnp.abs(x) ** power, axis=-1) ** (1 / power)


def jitted_norms(x, y):
    """p-norms from one jitted function with a static power."""
    return _norm(x, power=3) * _norm(y, power=1.5) - _norm(x - y, power=2)


def checkpointed(x, layers):
    """Residual blocks that are computed again in the backward pass."""

    @jax.checkpoint
    def block(x, w):
        return x + jnp.tanh(x @ w) @ w.T

    for w in layers:
        x = block(x, w)
    return x


def scanned_blocks(x, params):
    """A scan over stacked layers with a checkpointed body that saves the products."""

    @partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_saveable)
    def block(h, p):
        return jnp.cos(h @ p["w"] + p["b"]), jnp.mean(h)

    return lax.scan(block, x, params)


@jax.custom_vjp
def _log1pexp(x):
    return jnp.logaddexp(x, 0)


_log1pexp.defvjp(
    lambda x: (jnp.logaddexp(x, 0), x),
    lambda x, g: (g * jax.nn.sigmoid(x),),
)


def stable_loss(w, x, signs):
    """Logistic loss with its own rule for log(1 + exp(x))."""
    margin = jnp.where(signs > 0, x @ w, -(x @ w))
    return jnp.mean(_log1pexp(-margin))


@partial(jax.custom_vjp, nondiff_argnums=(0, 2))
def _fixed_point(f, theta, steps):
    z = jnp.zeros_like(theta[1])
    return lax.fori_loop(0, steps, lambda _, z: f(theta, z), z)


def _fixed_point_fwd(f, theta, steps):
    z = _fixed_point(f, theta, steps)
    return z, (theta, z)


def _fixed_point_bwd(f, steps, res, g):
    theta, z = res
    pull_z = jax.vjp(lambda z: f(theta, z), z)[1]
    u = lax.fori_loop(0, steps, lambda _, u: g + pull_z(u)[0], g)
    return jax.vjp(lambda t: f(t, z), theta)[1](u)


_fixed_point.defvjp(_fixed_point_fwd, _fixed_point_bwd)


def equilibrium(w, b):
    """z = tanh(W z / 4 + b) with the implicit gradient; a function and a count stay out."""
    f = lambda theta, z: jnp.tanh(0.25 * theta[0] @ z + theta[1])
    return _fixed_point(f, (w, b), 40)


@jax.custom_jvp
def _sinc(x):
    safe = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 1, jnp.sin(safe) / safe)


@_sinc.defjvp
def _sinc_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    safe = jnp.where(x == 0, 1, x)
    slope = jnp.where(x == 0, 0, (jnp.cos(safe) - _sinc(safe)) / safe)
    return _sinc(x), slope * t


def sinc_features(x, freq):
    """Unnormalized sinc of scaled inputs, by a forward rule of its own."""
    return jnp.sum(_sinc(x[:, None] * jnp.exp(freq)), axis=0)


def dict_model(params, batch):
    """Dictionaries of layers and of inputs, with a 0-d temperature."""
    h = batch["x"]
    for name in ("first", "second"):
        layer = params[name]
        h = jnp.arctan(h @ layer["kernel"] + layer["bias"])
    logits = h / params["temperature"]
    nll = jax.nn.logsumexp(logits, axis=-1) - logits[jnp.arange(h.shape[0]), batch["y"]]
    return {"loss": nll.mean(), "logits": logits}


def tied(params, ids):
    """One matrix is both the embedding and the output layer."""
    h = jnp.tanh(jnp.take(params["embed"], ids, axis=0) @ params["mix"])
    return jax.nn.log_softmax(h @ params["out"].T)


def nested(args):
    """Tuples in lists in tuples, with 0-d leaves and an integer power."""
    (scale, [a, (b, shift)]), power = args
    return scale * jnp.outer(a, b) ** power + shift, [a.sum() * b, (scale * shift,)]


def branches(x, w, flag):
    """lax.cond on an integer, then lax.switch on the sign of a sum."""
    y = lax.cond(flag > 0, lambda x: x @ w, lambda x: jnp.exp(x / 2) @ w, x)
    pick = (y.sum() > 0).astype(jnp.int32)
    return lax.switch(pick, [jnp.sin, lambda y: y * jnp.tanh(y)], y)


def gradient_penalty(x, w1, w2):
    """(|grad_x f(x)| - 1)^2 per sample of a small critic."""
    critic = lambda row: jax.nn.softplus(row @ w1) @ w2
    grads = jax.vmap(jax.grad(critic))(x)
    return (jnp.linalg.norm(grads, axis=-1) - 1) ** 2


def adapted(w, x_train, y_train, x_test, log_rate):
    """One inner gradient step of a regression, then the prediction."""
    loss = lambda w: jnp.mean((jnp.tanh(x_train @ w) - y_train) ** 2)
    value, grad = jax.value_and_grad(loss)(w)
    return jnp.tanh(x_test @ (w - jnp.exp(log_rate) * grad)), value


def directional(x, v, w):
    """A function, its jvp and the trace of its Jacobian."""
    f = lambda x: jnp.sin(w @ x) * x
    y, dy = jax.jvp(f, (x,), (v,))
    return y, dy, jnp.trace(jax.jacfwd(f)(x))


def tree_step(params, grads, rate):
    """A step on every leaf, with the gradients clipped by their common norm."""
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
    scale = rate / jnp.maximum(norm, 1.0)
    return jax.tree.map(lambda p, g: p - scale * g, params, grads)


def _tied_args(rng):
    embed = rng.normal(size=(5, 4))
    params = {"embed": embed, "mix": rng.normal(size=(4, 4)), "out": embed}
    return params, rng.integers(0, 5, size=(2, 3))


FUNCTIONS = (
    Function(
        "per_sample",
        per_sample,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(3, 4)),
            rng.normal(size=4),
        ),
    ),
    Function(
        "jitted_norms",
        jitted_norms,
        lambda rng: (rng.normal(size=(4, 6)), rng.normal(size=(4, 6))),
    ),
    Function(
        "checkpointed",
        checkpointed,
        lambda rng: (
            rng.normal(size=(4, 4)),
            [rng.normal(size=(4, 4)) / 2, rng.normal(size=(4, 4)) / 2],
        ),
    ),
    Function(
        "scanned_blocks",
        scanned_blocks,
        lambda rng: (
            rng.normal(size=(2, 5)),
            {"w": rng.normal(size=(3, 5, 5)), "b": rng.normal(size=(3, 5))},
        ),
    ),
    Function(
        "stable_loss",
        stable_loss,
        lambda rng: (
            rng.normal(size=3),
            rng.normal(size=(7, 3)),
            2 * rng.integers(0, 2, size=7) - 1,
        ),
    ),
    Function(
        "equilibrium", equilibrium, lambda rng: (rng.normal(size=(4, 4)) / 2, rng.normal(size=4))
    ),
    Function(
        "sinc_features",
        sinc_features,
        lambda rng: (rng.normal(size=6), rng.normal(size=4) / 2),
    ),
    Function(
        "dict_model",
        dict_model,
        lambda rng: (
            {
                "first": {"kernel": rng.normal(size=(3, 5)), "bias": rng.normal(size=5)},
                "second": {"kernel": rng.normal(size=(5, 4)), "bias": rng.normal(size=4)},
                "temperature": rng.uniform(0.3, 1, size=()),
            },
            {"x": rng.normal(size=(6, 3)), "y": rng.integers(0, 4, size=6)},
        ),
    ),
    Function("tied", tied, _tied_args),
    Function(
        "nested",
        nested,
        lambda rng: (
            (
                (
                    rng.normal(size=()),
                    [
                        rng.uniform(0.5, 2, size=3),
                        (rng.uniform(0.5, 2, size=4), rng.normal(size=())),
                    ],
                ),
                rng.integers(2, 4, size=()),
            ),
        ),
    ),
    Function(
        "branches",
        branches,
        lambda rng: (
            rng.normal(size=(5, 2)),
            rng.normal(size=(2, 3)),
            rng.integers(0, 2, size=()),
        ),
    ),
    Function(
        "gradient_penalty",
        gradient_penalty,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(3, 6)),
            rng.normal(size=6),
        ),
    ),
    Function(
        "adapted",
        adapted,
        lambda rng: (
            rng.normal(size=3),
            rng.normal(size=(6, 3)),
            rng.normal(size=6),
            rng.normal(size=(4, 3)),
            rng.uniform(-2, 0, size=()),
        ),
    ),
    Function(
        "directional",
        directional,
        lambda rng: (rng.normal(size=4), rng.normal(size=4), rng.normal(size=(4, 4))),
    ),
    Function(
        "tree_step",
        tree_step,
        lambda rng: (
            {"w": rng.normal(size=(3, 4)), "b": (rng.normal(size=4), rng.normal(size=()))},
            {"w": rng.normal(size=(3, 4)), "b": (rng.normal(size=4), rng.normal(size=()))},
            rng.uniform(0.1, 1, size=()),
        ),
    ),
)
