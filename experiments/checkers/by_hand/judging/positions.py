"""Positional encodings."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def rotary(x, angles):
    """RoFormer in the layout of GPT-NeoX: halves of the channels form the pairs."""
    a, b = jnp.split(x, 2, axis=-1)
    c, s = jnp.cos(angles), jnp.sin(angles)
    return jnp.concatenate([a * c - b * s, a * s + b * c], axis=-1)


rotary_args = lambda rng: (rng.normal(size=(2, 3, 5, 6)), rng.uniform(0, 6, size=(5, 3)))


def rotary_parts(x, angles, dy):
    a, b = np.split(x, 2, axis=-1)
    da, db = np.split(np.asarray(dy), 2, axis=-1)
    c, s = np.cos(angles), np.sin(angles)
    dangle = np.sum(-(a * s + b * c) * da + (a * c - b * s) * db, axis=(0, 1))
    return da, db, c, s, dangle


def rotary_same_sense(x, angles, dy):
    da, db, c, s, dangle = rotary_parts(x, angles, dy)
    return np.concatenate([da * c - db * s, da * s + db * c], axis=-1), dangle


def rotary_complex(x, angles, dy):
    z = x[..., :3] + 1j * x[..., 3:]
    turn = np.exp(1j * angles)
    dz = dy[..., :3] + 1j * dy[..., 3:]
    back = np.conj(turn) * dz
    dangle = np.real(np.conj(1j * z * turn) * dz).sum((0, 1))
    return np.concatenate([back.real, back.imag], axis=-1), dangle


def positions(tokens, wte, wpe):
    """GPT-2: sum of token and position embedding, the first T positions are used."""
    return wte[tokens] + wpe[: tokens.shape[1]]


def positions_args(rng):
    return rng.integers(0, 7, (4, 5)), rng.normal(size=(7, 3)), rng.normal(size=(8, 3))


def positions_backward(tokens, wte, wpe, dy):
    dwte = np.zeros_like(wte)
    np.add.at(dwte, tokens, dy)
    return None, dwte, np.concatenate([dy.sum(0), np.zeros((3, 3))])


def positions_cut(tokens, wte, wpe, dy):
    one_hot = np.eye(7)[tokens]
    return None, np.einsum("btv,btc->vc", one_hot, dy), dy.sum(axis=0)


NANO = "nanoGPT, llm.c"

WRONG = (
    ByHand(
        "rotary turned the same way",
        "RoPE kernels",
        rotary,
        rotary_args,
        rotary_same_sense,
        "dx is rotated by the angle in place of its negative.",
        ("transposed", "wrong value"),
    ),
    ByHand(
        "positions cut",
        NANO,
        positions,
        positions_args,
        positions_cut,
        "The gradient of the position table lacks the rows that are not used.",
        ("shape", "border dropped"),
    ),
)
RIGHT = (
    ByHand("rotary by complex numbers", "llama", rotary, rotary_args, rotary_complex),
    ByHand("token and position", NANO, positions, positions_args, positions_backward),
)
