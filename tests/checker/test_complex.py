"""Complex arguments and outputs: one row per complex leaf, by JAX's convention dz = f'(z) dy."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import fcnn
from fcnn.checker.complex_parts import join, join_cotangent, split, split_cotangent

check = partial(fcnn.check, cost=False)
rng = np.random.default_rng(0)
X, A = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
Z, W = (a + 1j * rng.standard_normal(a.shape) for a in (X, A))


def square(z):
    return z * z


def product(z, w):
    return z.astype(w.dtype) @ w


def power(z):
    return (abs(z) ** 2).sum()


def only(report):
    (row,) = report.rows
    return row


def test_the_convention_is_that_of_jax():
    """jax.grad of |z|² is 2 conj(z). The checker's cotangents agree with it, and with jax.vjp."""
    assert only(check(power, (Z,), backward=lambda z, dy: 2 * z.conj() * dy)).ok
    np.testing.assert_allclose(jax.grad(power)(Z), 2 * Z.conj(), rtol=1e-14)
    dy = split_cotangent(Z)
    np.testing.assert_array_equal(dy, np.stack([Z.real, -Z.imag], -1))
    np.testing.assert_array_equal(join_cotangent(dy), Z)
    np.testing.assert_array_equal(join(split(Z)), Z)
    np.testing.assert_array_equal(join(jnp.asarray(split(Z))), Z)


@pytest.mark.parametrize("f", [np.square, square], ids=["NumPy", "JAX"])
def test_a_complex_leaf_has_one_row_with_complex_numbers(f):
    assert only(check(f, (Z,), backward=lambda z, dy: 2 * z * dy)).error < 1e-8
    report = check(f, (Z,), backward=lambda z, dy: 2j * z * dy)
    row = only(report)
    assert (row.verdict, row.shape, row.dtype, len(row.at)) == ("wrong", (3, 4), "complex128", 2)
    assert row.slopes[0] == pytest.approx(row.claimed / 1j, rel=1e-6)
    assert row.says.startswith("equals i × the right gradient")
    assert row.map is None or row.map.shape == (3, 4)
    assert f"{row.claimed:.6g}" in str(report)
    assert json.loads(report.to_json())["rows"][0]["claimed"] == [
        row.claimed.real,
        row.claimed.imag,
    ]
    assert report.to_html()


@pytest.mark.parametrize(
    ("backward", "says"),
    [
        (
            lambda z, dy: (2 * z).conj() * dy,
            "is the gradient in PyTorch's convention, f'(z).con",
        ),
        (
            lambda z, dy: (2 * z * dy).conj(),
            "equals the conjugate of the right gradient: JAX's",
        ),
        (lambda z, dy: 2 * z * dy.conj(), "uses dy.conj() for dy: JAX's convention is dz = f'(z)"),
    ],
)
def test_a_conjugate_too_many_is_named(backward, says):
    row = only(check(square, (Z,), backward=backward))
    assert (row.verdict, row.mistake) == ("wrong", "conjugated")
    assert row.says.startswith(says)
    assert row.says.endswith("without a conjugate (every entry, to 1e-16)")


def test_real_and_complex_arguments_may_be_mixed():
    backward = lambda x, w, dy: ((dy @ w.T).real, x.T.astype(dy.dtype) @ dy)
    args = X.astype(np.float32), W.astype(np.complex64)
    report = check(product, args, backward=backward)
    assert [(row.dtype, row.verdict) for row in report.rows] == [
        ("float32", "right"),
        ("complex64", "right"),
    ]
    assert all(0 < row.own_error < 1e-6 for row in report.rows)
    assert check(product, args, backward=backward, dtype="bfloat16").rows[1].dtype == "complex64"
    torch = lambda x, w, dy: ((dy @ w.conj().T).real, x.T.astype(dy.dtype) @ dy)
    assert [row.mistake for row in check(product, (X, W), backward=torch).rows] == [
        "conjugated",
        "",
    ]


def test_complex_outputs_of_real_arguments_and_the_reverse():
    right = lambda x, dy: jnp.fft.fft(dy).real
    assert check(jnp.fft.fft, (X,), backward=right).ok
    by_torch = lambda x, dy: jnp.fft.ifft(dy).real * 4
    assert only(check(jnp.fft.fft, (X,), backward=by_torch)).mistake == "conjugated"
    assert only(check(power, (Z,), backward=lambda z, dy: 2 * z * dy)).mistake == "conjugated"
    assert only(check(power, (1.5 + 2j,))).shape == ()


@pytest.mark.parametrize(
    ("args", "backward", "says"),
    [
        (
            (Z, W),
            lambda z, w, dy: ((dy @ w.T).real, z.T @ dy),
            "is float64(3, 4); it must be complex",
        ),
        (
            (X, W),
            lambda x, w, dy: (dy @ w.T, x.T.astype(dy.dtype) @ dy),
            "is complex128(3, 4); it must be floating",
        ),
        ((Z, W), lambda z, w, dy: ((dy @ w.T)[0], z.T @ dy), "has shape (4,), not (3, 4)"),
        (
            (Z, W),
            lambda z, w, dy: (jnp.stack([(dy @ w.T).real, (dy @ w.T).imag], -1), z.T @ dy),
            "is float64(3, 4, 2); it must be complex, of shape (3, 4)",
        ),
    ],
)
def test_a_gradient_of_another_kind_is_wrong(args, backward, says):
    first, second = check(product, args, backward=backward).rows
    assert (first.verdict, second.verdict) == ("wrong", "right")
    assert first.says.startswith(says)


def test_a_kink_of_one_part_is_named():
    f = lambda z: lax.complex(jnp.maximum(z.real, 0), z.imag)
    backward = lambda z, dy: lax.complex(jnp.where(z.real > 0, dy.real, 0), dy.imag)
    row = only(check(f, (np.array([2 - 1j, 1j]),), backward=backward))
    assert (row.verdict, row.at) == ("kink", (1,))
    assert row.says.startswith("accepted at a kink: at z[1].real, slopes from ")


def test_a_complex_argument_without_imaginary_part_gives_a_warning():
    notes = check(square, (X + 0j,)).notes["square"]
    assert notes == "Warning: z is real, which hides a missing conjugate; draw random arguments."


def test_second_derivatives_of_complex_functions_are_checked():
    report = check(square, (Z,), backward=lambda z, dy: 2 * z * dy, order=2)
    assert [row.verdict for row in report.rows] == ["right", "right"]
