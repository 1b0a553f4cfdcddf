"""Cumulative operations, returns and advantages."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand


def reverse_cumsum(d, axis):
    return jnp.flip(jnp.cumsum(jnp.flip(d, axis), axis), axis)


def balance(deposits):
    return jnp.cumsum(deposits, axis=1)


def balance_exclusive(deposits, dy):
    return (jnp.sum(dy, axis=1, keepdims=True) - jnp.cumsum(dy, axis=1),)


def survival(p):
    return jnp.cumprod(1 - p, axis=-1)


def survival_args(g):
    p = g.uniform(0.05, 0.5, (4, 7))
    p[1, 3] = p[2, 0] = p[2, 5] = 1.0
    return (p,)


def survival_quotient(p, dy):
    y = np.cumprod(1 - p, axis=-1)
    return (-reverse_cumsum(dy * y, -1) / (1 - p),)


def survival_products(p, dy):
    q, dy = 1 - p, np.asarray(dy)
    dq = np.zeros_like(q)
    for i in range(q.shape[1]):
        before = np.prod(q[:, :i], axis=1)
        for t in range(i, q.shape[1]):
            dq[:, i] += dy[:, t] * before * np.prod(q[:, i + 1 : t + 1], axis=1)
    return (-dq,)


def logcumsumexp(x):
    return lax.cumlogsumexp(x, axis=0)


def logcumsumexp_total(x, dy):
    y = lax.cumlogsumexp(x, axis=0)
    return (jnp.exp(x - y[-1]) * reverse_cumsum(dy, 0),)


def running_max(x):
    return lax.cummax(x, axis=1)


def running_max_backward(x, dy):
    dx = np.zeros_like(x)
    for i in range(x.shape[0]):
        best = 0
        for t in range(x.shape[1]):
            if x[i, t] > x[i, best]:
                best = t
            dx[i, best] += dy[i, t]
    return (dx,)


def gae_args(g):
    done = (g.random((8, 3)) < 0.3).astype(int)
    return g.standard_normal((8, 3)), g.standard_normal((9, 3)), done


def gae(reward, value, done):
    alive = 1.0 - done
    delta = reward + 0.9 * alive * value[1:] - value[:-1]

    def step(A, d):
        A = d[0] + 0.9 * 0.8 * d[1] * A
        return A, A

    return lax.scan(step, jnp.zeros_like(reward[0]), (delta, alive), reverse=True)[1]


def gae_gradient(reward, value, done, dA, first):
    dA, alive = np.asarray(dA), 1.0 - done
    ddelta, carry = np.zeros_like(reward), np.zeros_like(reward[0])
    for t in range(len(reward)):
        gate = first[t - 1] if t else 0.0
        carry = dA[t] + 0.9 * 0.8 * gate * carry
        ddelta[t] = carry
    dvalue = np.zeros_like(value)
    dvalue[1:] += 0.9 * alive * ddelta
    dvalue[:-1] -= ddelta
    return ddelta, dvalue, None


def gae_mask_late(reward, value, done, dA):
    alive = 1.0 - done
    return gae_gradient(reward, value, done, dA, np.concatenate([alive[1:], alive[-1:]]))


def returns(reward, gamma):
    T = reward.shape[0]
    k = jnp.arange(T)[None, :] - jnp.arange(T)[:, None]
    return jnp.where(k >= 0, gamma ** jnp.maximum(k, 0), 0.0) @ reward


def returns_one_step(reward, gamma, dR):
    R, dR = np.asarray(returns(reward, gamma)), np.asarray(dR)
    carry = np.zeros_like(dR)
    carry[0] = dR[0]
    for t in range(1, len(dR)):
        carry[t] = dR[t] + gamma * carry[t - 1]
    dreward = dR.copy()
    dreward[1:] += gamma * dR[:-1]
    return dreward, np.asarray(np.sum(carry[:-1] * R[1:]))


WRONG = (
    ByHand(
        "running balance without the own entry",
        "cumulative sum, off by one",
        balance,
        lambda g: (g.standard_normal((3, 8)),),
        balance_exclusive,
        "The reversed sum starts at the next entry, so dy at the own position is missing.",
        ("shifted", "missing term", "border dropped"),
    ),
    ByHand(
        "survival curve with a certain event",
        "derivative of cumprod by division",
        survival,
        survival_args,
        survival_quotient,
        "The division by 1 - p is 0 / 0 where p is 1.",
        ("not finite",),
    ),
    ByHand(
        "cumulative logsumexp with the total",
        "softmax formula used for every prefix",
        logcumsumexp,
        lambda g: (g.standard_normal((7, 3)),),
        logcumsumexp_total,
        "The exponentials are divided by the sum over all steps, not by that of each prefix.",
        ("wrong value",),
    ),
    ByHand(
        "advantages with the end of the episode one step late",
        "generalized advantage estimation, the done flag of the next step",
        gae,
        gae_args,
        gae_mask_late,
        "The adjoint passes from t - 1 to t with the done flag of t, not of t - 1.",
        ("mask", "shifted"),
    ),
    ByHand(
        "discounted returns with one step only",
        "policy gradient homework, bootstrapped after one step",
        returns,
        lambda g: (g.standard_normal(10), np.asarray(g.uniform(0.7, 0.95))),
        returns_one_step,
        "A reward gets the gradient of its own return and the one before, and of no earlier one.",
        ("truncated in time", "missing term"),
    ),
)


RIGHT = (
    ByHand(
        "survival curve with certain events",
        "cumprod with zeros, products of all other factors",
        survival,
        survival_args,
        survival_products,
    ),
    ByHand(
        "running maximum",
        "the last record so far gets the gradient",
        running_max,
        lambda g: (g.standard_normal((3, 9)),),
        running_max_backward,
    ),
    ByHand(
        "generalized advantage estimation",
        "Schulman et al. 2016; integer done flags",
        gae,
        gae_args,
        lambda r, v, done, dA: gae_gradient(r, v, done, dA, 1.0 - done),
    ),
)
