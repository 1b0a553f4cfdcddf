"""Policy and value losses."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def ppo(logits, action, old_logp, advantage):
    logp = jax.nn.log_softmax(logits)
    ratio = jnp.exp(jnp.take_along_axis(logp, action[:, None], axis=1)[:, 0] - old_logp)
    clipped = jnp.clip(ratio, 0.8, 1.2)
    entropy = -jnp.sum(jnp.exp(logp) * logp, axis=1)
    return -jnp.mean(jnp.minimum(ratio * advantage, clipped * advantage) + 0.01 * entropy)


def ppo_args(g):
    logits, action = g.standard_normal((9, 4)), g.integers(0, 4, 9)
    logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    shift = np.tile([-0.5, 0.0, 0.5], 3) + 0.05 * g.standard_normal(9)
    advantage = np.abs(g.standard_normal(9)) * np.where(np.arange(9) % 2, 1, -1)
    return logits, action, logp[np.arange(9), action] + shift, advantage


def ppo_gradient(logits, action, old_logp, advantage, dy, both_sides):
    n = len(action)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    ratio = p[np.arange(n), action] / np.exp(old_logp)
    if both_sides:
        active = (ratio > 0.8) & (ratio < 1.2)
    else:
        active = np.where(advantage > 0, ratio < 1.2, ratio > 0.8)
    g = active * ratio * advantage
    H = -np.sum(p * np.log(p), axis=1, keepdims=True)
    dlogits = g[:, None] * (np.eye(4)[action] - p) - 0.01 * p * (np.log(p) + H)
    bound = np.clip(ratio, 0.8, 1.2)
    used = np.where(ratio * advantage < bound * advantage, ratio, bound)
    return -dy * dlogits / n, None, dy * g / n, -dy * used / n


def squashed_gaussian(mu, log_std, eps):
    u = mu + jnp.exp(log_std) * eps
    correction = 2 * (jnp.log(2.0) - u - jax.nn.softplus(-2 * u))
    return jnp.tanh(u), jnp.sum(-0.5 * eps**2 - log_std - correction, axis=-1)


def squashed_gaussian_backward(mu, log_std, eps, dy):
    da, dlogp = dy
    std = np.exp(log_std)
    t = np.tanh(mu + std * eps)
    du = da * (1 - t * t) + 2 * dlogp[:, None] * t
    return du, du * std * eps - dlogp[:, None], du * std - dlogp[:, None] * eps


def squashed_gaussian_stopped(mu, log_std, eps, dy):
    dmu, _, deps = squashed_gaussian_backward(mu, log_std, eps, dy)
    return dmu, np.zeros_like(log_std), deps


def td_loss(q, reward, action):
    target = jax.lax.stop_gradient(reward + 0.9 * jnp.max(q[1:], axis=1))
    err = jnp.take_along_axis(q[:-1], action[:, None], axis=1)[:, 0] - target
    return jnp.sum(jnp.where(jnp.abs(err) < 1, 0.5 * err**2, jnp.abs(err) - 0.5))


def td_loss_backward(q, reward, action, dy):
    T = len(action)
    err = q[np.arange(T), action] - reward - 0.9 * q[1:].max(1)
    dq = np.zeros_like(q)
    dq[np.arange(T), action] = dy * np.sign(err) * np.minimum(np.abs(err), 1)
    return dq, np.zeros_like(reward), None


def td_loss_target(q, reward, action, dy):
    dq, dreward, _ = td_loss_backward(q, reward, action, dy)
    derr = dq[np.arange(len(action)), action]
    for t, d in enumerate(derr):
        dq[t + 1, q[t + 1].argmax()] -= 0.9 * d
    return dq, dreward, None


def td_args(g):
    return 2 * g.standard_normal((7, 3)), g.standard_normal(6), g.integers(0, 3, 6)


WRONG = (
    ByHand(
        "clipped policy loss without the minimum",
        "proximal policy optimization; the clip cuts on one side only",
        ppo,
        ppo_args,
        lambda z, a, old, adv, dy: ppo_gradient(z, a, old, adv, dy, True),
        "The gradient is cut at both ends of the range, whatever the sign of the advantage.",
        ("mask", "wrong below zero"),
    ),
    ByHand(
        "squashed policy with a stopped scale",
        "soft actor-critic",
        squashed_gaussian,
        lambda g: tuple(g.standard_normal((3, 6, 2))),
        squashed_gaussian_stopped,
        "The logarithm of the scale gets no gradient.",
        ("stopped",),
    ),
    ByHand(
        "temporal difference through the target",
        "deep Q-learning without a detached target",
        td_loss,
        td_args,
        td_loss_target,
        "The gradient goes through the target although the forward pass stops it.",
        ("missing term",),
        named=False,
    ),
)


RIGHT = (
    ByHand(
        "clipped policy loss with entropy",
        "proximal policy optimization",
        ppo,
        ppo_args,
        lambda z, a, old, adv, dy: ppo_gradient(z, a, old, adv, dy, False),
    ),
    ByHand(
        "squashed policy",
        "soft actor-critic, stable correction of the density",
        squashed_gaussian,
        lambda g: tuple(g.standard_normal((3, 6, 2))),
        squashed_gaussian_backward,
    ),
)
