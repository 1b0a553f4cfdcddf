"""Steps of optimizers, differentiated as in meta-learning."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def momentum(p, g, m, lr):
    """SGD with momentum 0.9 and weight decay 0.01; returns new parameter and momentum."""
    m = 0.9 * m + g + 0.01 * p
    return p - lr * m, m


def momentum_args(rng):
    return *(rng.normal(size=(4, 5)) for _ in range(3)), np.asarray(rng.uniform(0.1, 0.5))


def momentum_backward(p, g, m, lr, dy):
    dp, dm = dy
    total = dm - lr * dp
    return dp + 0.01 * total, total, 0.9 * total, -np.vdot(dp, 0.9 * m + g + 0.01 * p)


def adam(p, g, m, v):
    """Third step with the usual constants."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    mhat, vhat = m / (1 - 0.9**3), v / (1 - 0.999**3)
    return p - 0.1 * mhat / (jnp.sqrt(vhat) + 1e-8)


def adam_args(rng):
    return *(rng.normal(size=7) for _ in range(3)), rng.uniform(1e-4, 1e-2, size=7)


def adam_parts(g, m, v, dy):
    c1, c2 = 1 - 0.9**3, 1 - 0.999**3
    mhat, root = (0.9 * m + 0.1 * g) / c1, np.sqrt((0.999 * v + 0.001 * g**2) / c2)
    dm = -0.1 * dy / (root + 1e-8) / c1
    dv = 0.1 * dy * mhat / (root + 1e-8) ** 2 / (2 * root * c2)
    return dm, dv


def adam_backward(p, g, m, v, dy):
    dm, dv = adam_parts(g, m, v, dy)
    return dy, 0.1 * dm + 0.002 * g * dv, 0.9 * dm, 0.999 * dv


def adam_stopped_variance(p, g, m, v, dy):
    dm, dv = adam_parts(g, m, v, dy)
    return dy, 0.1 * dm + 0.002 * g * dv, 0.9 * dm, np.zeros_like(v)


def clipped(grads):
    """Gradients of global norm 1 at most, as a pytree."""
    norm = jnp.sqrt(jnp.sum(grads["w"] ** 2) + jnp.sum(grads["b"] ** 2))
    scale = jnp.minimum(1, 1 / norm)
    return {"w": scale * grads["w"], "b": scale * grads["b"]}


def clipped_args(rng):
    return ({"w": rng.normal(size=(4, 4)), "b": rng.normal(size=4)},)


def clipped_constant_norm(grads, dy):
    norm = np.sqrt(np.sum(grads["w"] ** 2) + np.sum(grads["b"] ** 2))
    return ({k: dy[k] * min(1.0, 1 / norm) for k in grads},)


def clipped_backward(grads, dy):
    norm = np.sqrt(sum(np.sum(a**2) for a in grads.values()))
    if norm <= 1:
        return (dict(dy),)
    along = sum(np.sum(grads[k] * dy[k]) for k in grads) / norm**2
    return ({k: (dy[k] - along * grads[k]) / norm for k in grads},)


def adapted(w, x, y, xq, yq):
    """MAML for linear regression: query loss after one inner step of size 0.1."""
    inner = w - 0.1 * x.T @ (x @ w - y) / len(y)
    return 0.5 * jnp.mean((xq @ inner - yq) ** 2)


def adapted_args(rng):
    a = lambda *s: rng.normal(size=s)
    return a(4), a(6, 4), a(6), a(5, 4), a(5)


def adapted_pass(w, x, y, xq, yq, dy, second):
    e = x @ w - y
    inner = w - 0.1 * x.T @ e / len(y)
    r = dy * (xq @ inner - yq) / len(yq)
    u = -0.1 * xq.T @ r / len(y)
    xu = x @ u
    dw = xq.T @ r + (x.T @ xu if second else 0)
    return dw, np.outer(e, u) + np.outer(xu, w), -xu, np.outer(r, inner), -r


def adapted_backward(w, x, y, xq, yq, dy):
    return adapted_pass(w, x, y, xq, yq, dy, True)


def adapted_first_order(w, x, y, xq, yq, dy):
    return adapted_pass(w, x, y, xq, yq, dy, False)


def averages(ps, decay):
    """Running average of the parameters of several steps, decay is 0-d."""
    avg = ps[0]
    for p in ps[1:]:
        avg = decay * avg + (1 - decay) * p
    return avg


averages_args = lambda rng: (rng.normal(size=(5, 3)), np.asarray(rng.uniform(0.5, 0.9)))


def averages_reversed(ps, decay, dy):
    steps = [ps[0]]
    for p in ps[1:]:
        steps.append(decay * steps[-1] + (1 - decay) * p)
    weights = (1 - decay) * decay ** np.arange(5.0)
    weights[-1] = decay**4
    g, dd = np.asarray(dy), 0.0
    for t in range(4, 0, -1):
        dd += np.sum(g * (steps[t - 1] - ps[t]))
        g = decay * g
    return np.outer(weights, dy), np.asarray(dd)


def averages_backward(ps, decay, dy):
    k = np.arange(4, -1, -1.0)
    weights = (1 - decay) * decay**k
    weights[0] = decay**4
    slopes = k * decay ** (k - 1) - (k + 1) * decay**k
    slopes[0] = 4 * decay**3
    return np.outer(weights, dy), slopes @ ps @ dy


META = "Learned optimizers, meta-gradients by hand"

WRONG = (
    ByHand(
        "adam with stopped variance",
        META,
        adam,
        adam_args,
        adam_stopped_variance,
        "The gradient of the second moment is 0.",
        ("stopped",),
    ),
    ByHand(
        "clipping with constant norm",
        "clip_grad_norm under second-order gradients",
        clipped,
        clipped_args,
        clipped_constant_norm,
        "The norm is taken as a constant.",
        ("missing term",),
    ),
    ByHand(
        "first order maml",
        "MAML, Finn et al.",
        adapted,
        adapted_args,
        adapted_first_order,
        "dw lacks the path through the inner gradient.",
        ("missing term",),
    ),
    ByHand(
        "average with weights reversed",
        "EMA",
        averages,
        averages_args,
        averages_reversed,
        "The oldest parameters get the largest weight.",
        ("flipped",),
    ),
)
RIGHT = (
    ByHand("momentum step", META, momentum, momentum_args, momentum_backward),
    ByHand("adam step", META, adam, adam_args, adam_backward),
    ByHand("clipping by norm", META, clipped, clipped_args, clipped_backward),
    ByHand("maml step", "MAML", adapted, adapted_args, adapted_backward),
    ByHand("average of parameters", "EMA", averages, averages_args, averages_backward),
)
