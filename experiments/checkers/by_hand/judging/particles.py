"""Particles, rotations and cameras."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def springs(state, i, j):
    d = state["x"][i] - state["x"][j]
    stretch = jnp.sqrt(jnp.sum(d * d, axis=1)) - state["rest"]
    return 0.5 * jnp.sum(state["k"] * stretch**2)


def springs_args(g):
    i, j = np.triu_indices(5, 1)
    e = g.permutation(10)[:7]
    x = {"x": g.standard_normal((5, 2)), "rest": g.uniform(0.2, 2, 7), "k": g.uniform(1, 3, 7)}
    return x, i[e], j[e]


def springs_one_end(state, i, j, dy):
    d = state["x"][i] - state["x"][j]
    n = np.linalg.norm(d, axis=1)
    stretch = n - state["rest"]
    tension = dy * state["k"] * stretch
    dx = np.zeros_like(state["x"])
    np.add.at(dx, i, (tension / n)[:, None] * d)
    return {"x": dx, "rest": -tension, "k": 0.5 * dy * stretch**2}, None, None


def lennard_jones(x, eps, sigma):
    i, j = np.triu_indices(x.shape[0], 1)
    r2 = jnp.sum((x[i] - x[j]) ** 2, axis=1)
    s6 = (sigma**2 / r2) ** 3
    inside = r2 < 2.5**2
    return jnp.sum(jnp.where(inside, 4 * eps * (s6**2 - s6), 0.0))


def lattice(g, n):
    corners = np.stack(np.meshgrid(*[np.arange(2.0)] * 3), -1).reshape(-1, 3)[:n]
    return 1.3 * corners + 0.1 * g.standard_normal((n, 3))


def lennard_jones_gradient(x, eps, sigma, dE, repulsion):
    dx, deps, dsigma = np.zeros_like(x), 0.0, 0.0
    for i in range(len(x)):
        for j in range(i):
            d = x[i] - x[j]
            r2 = d @ d
            if r2 < 6.25:
                s6 = (sigma**2 / r2) ** 3
                f = -4 * eps * (repulsion * s6**2 - 6 * s6) * d / r2
                dx[i] += f
                dx[j] -= f
                deps += 4 * (s6**2 - s6)
                dsigma += 4 * eps * (12 * s6**2 - 6 * s6) / sigma
    return dE * dx, np.asarray(dE * deps), np.asarray(dE * dsigma)


def lennard_jones_args(g):
    return lattice(g, 7), np.asarray(g.uniform(0.5, 2)), np.asarray(g.uniform(0.9, 1.1))


def pinhole(X, R, t, f):
    Y = X @ R.T + t
    return f * Y[:, :2] / Y[:, 2:]


def pinhole_args(g):
    R = np.linalg.qr(g.standard_normal((3, 3)))[0]
    return g.standard_normal((8, 3)), R, np.array([0, 0, 5.0]) + g.random(3), np.asarray(1.5)


def pinhole_depth_stopped(X, R, t, f, duv):
    Y = X @ R.T + t
    dxy = f * duv / Y[:, 2:]
    dY = jnp.pad(dxy, ((0, 0), (0, 1)))
    return dY @ R, dY.T @ X, dY.sum(0), jnp.sum(duv * Y[:, :2] / Y[:, 2:])


def rotation(q):
    w, x, y, z = q / jnp.linalg.norm(q)
    return jnp.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_adjoint(q, dR):
    n = np.linalg.norm(q)
    w, v = q[0] / n, q[1:] / n
    D = np.asarray(dR)
    S = D + D.T
    a = np.array([D[2, 1] - D[1, 2], D[0, 2] - D[2, 0], D[1, 0] - D[0, 1]])
    dv = 2 * (S @ v - 2 * np.trace(D) * v + w * a)
    return np.append(2 * a @ v, dv), q / n, n


def rotation_backward(q, dR):
    dq, u, n = quaternion_adjoint(q, dR)
    return ((dq - u * (u @ dq)) / n,)


def rotation_not_normalized(q, dR):
    dq, _, n = quaternion_adjoint(q, dR)
    return (dq / n,)


WRONG = (
    ByHand(
        "springs that pull at one end",
        "mass-spring system, graph of particles",
        springs,
        springs_args,
        springs_one_end,
        "The force at the second end of each spring is missing.",
        ("missing term",),
    ),
    ByHand(
        "lennard-jones with the sixth power twice",
        "molecular dynamics course",
        lennard_jones,
        lennard_jones_args,
        lambda x, e, s, dE: lennard_jones_gradient(x, e, s, dE, 6),
        "The repulsion's exponent 12 is a 6 in the force.",
        ("wrong derivative", "missing term"),
    ),
    ByHand(
        "pinhole camera without depth",
        "bundle adjustment",
        pinhole,
        pinhole_args,
        pinhole_depth_stopped,
        "The gradient through the division by the depth is missing.",
        ("missing term",),
    ),
    ByHand(
        "quaternion without its normalization",
        "Gaussian splatting, rotation from a raw quaternion",
        rotation,
        lambda g: (g.standard_normal(4),),
        rotation_not_normalized,
        "The projection that belongs to the normalization of q is missing.",
        ("missing term",),
    ),
)


RIGHT = (
    ByHand(
        "lennard-jones with a cutoff",
        "molecular dynamics course, loop over pairs",
        lennard_jones,
        lennard_jones_args,
        lambda x, e, s, dE: lennard_jones_gradient(x, e, s, dE, 12),
    ),
    ByHand(
        "rotation from a quaternion",
        "Gaussian splatting, adjoint from the symmetric and the skew part",
        rotation,
        lambda g: (g.standard_normal(4),),
        rotation_backward,
    ),
)
