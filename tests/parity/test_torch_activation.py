"""Activations against torch.nn.functional, near their kinks and far from 0."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree

import fcnn

# In lines marked "float32", a formula replaces the function of torch, whose gradient has a constant
# that is rounded to float32.
SAME = {  # name in fcnn -> the function in torch, and the ranges of its options
    "identity": (lambda x: x, {}),
    "relu": (F.relu, {}),
    "relu6": (F.relu6, {}),
    "leaky_relu": (lambda x, slope: F.leaky_relu(x, slope), {"slope": (0.01, 0.9)}),
    "elu": (F.elu, {"alpha": (0.1, 3)}),
    "selu": (F.selu, {}),
    "celu": (lambda x, alpha: alpha * F.elu(x / alpha), {"alpha": (0.1, 3)}),  # F.celu: float32
    "sigmoid": (torch.sigmoid, {}),
    "log_sigmoid": (F.logsigmoid, {}),
    "tanh": (torch.tanh, {}),
    "hard_tanh": (F.hardtanh, {}),
    "silu": (lambda x, beta: F.silu(beta * x) / beta, {"beta": (0.5, 2)}),
    "gelu": (F.gelu, {}),
    "hard_swish": (F.hardswish, {}),
    "hard_sigmoid": (lambda x: F.hardtanh(x / 6 + 0.5, 0, 1), {}),  # F.hardsigmoid: float32
    "mish": (F.mish, {}),
    "softplus": (
        lambda x: F.softplus(x, threshold=40),  # y = x above the threshold, by default 20
        {},
    ),
    "softsign": (F.softsign, {}),
    "squareplus": (lambda x, b: (x + torch.sqrt(x * x + b)) / 2, {"b": (0.5, 8)}),
}
SIZES = (1, 10, 1e3)
twenty = pytest.mark.parametrize("seed", range(20))


def draw(rng, *shape):
    """Random x with up to two axes before `shape`. Some entries are integers, like the kinks."""
    lead = tuple(rng.integers(1, 4, size=rng.integers(0, 3)))
    x = rng.standard_normal((*lead, *shape)) * rng.choice(SIZES)
    return np.where(rng.random(x.shape) < 0.1, rng.integers(-3, 7, x.shape), x)


@twenty
@pytest.mark.parametrize("name", SAME)
def test_elementwise(name, seed):
    rng = np.random.default_rng(seed)
    theirs, ranges = SAME[name]
    options = {k: rng.uniform(*ends) for k, ends in ranges.items()}
    x = draw(rng, rng.integers(1, 7))
    if name == "squareplus":
        x = np.clip(x, -100, 100)  # for larger |x|, the terms of torch's formula cancel
    agree(lambda x: getattr(fcnn, name)(x, **options), lambda x: theirs(x, **options), (x,))


@twenty
def test_gelu_by_tanh(seed):
    x = draw(np.random.default_rng(seed), 5)
    agree(lambda x: fcnn.gelu(x, approximate=True), lambda x: F.gelu(x, approximate="tanh"), (x,))


def test_hard_sigmoid_of_torch():
    """torch rounds the slope 1/6 to float32."""
    x = np.linspace(-4, 4, 33)
    agree(fcnn.hard_sigmoid, F.hardsigmoid, (x,), within=1e-7)


@twenty
def test_softmax_and_its_logarithm(seed):
    rng = np.random.default_rng(seed)
    x = draw(rng, *rng.integers(1, 6, size=2))
    axis = int(rng.integers(-x.ndim, x.ndim))
    agree(lambda x: fcnn.softmax(x, axis=axis), lambda x: F.softmax(x, axis), (x,))
    agree(lambda x: fcnn.log_softmax(x, axis=axis), lambda x: F.log_softmax(x, axis), (x,))


@twenty
def test_prelu(seed):
    """Channels are the last axis in fcnn, and the second in torch."""
    rng = np.random.default_rng(seed)
    c = rng.integers(1, 6)
    x, slope = draw(rng, rng.integers(1, 5), c), rng.standard_normal(c)
    rows = lambda x: x.reshape(-1, x.shape[-1])
    agree(fcnn.prelu, lambda x, s: F.prelu(rows(x), s).reshape(x.shape), (x, slope))


@twenty
def test_gated_units(seed):
    """torch has no swiglu. The reference is the paper's formula, silu(a) * b for x = (a, b)."""
    rng = np.random.default_rng(seed)
    x = draw(rng, 2 * rng.integers(1, 4))
    agree(fcnn.glu, F.glu, (x,))

    def swiglu(x):
        gate, value = x.chunk(2, -1)
        return F.silu(gate) * value

    agree(fcnn.swiglu, swiglu, (x,))


@twenty
def test_frelu(seed):
    """torch has no frelu. The reference is the paper's max(x, depthwise convolution of x).

    The paper's batch normalization of the convolution is left out.
    """
    rng = np.random.default_rng(seed)
    height, width, c, k, m = rng.integers(1, 6, size=5)
    x = rng.standard_normal((2, height, width, c)) * rng.choice(SIZES)
    w, b = rng.standard_normal((k, m, 1, c)), rng.standard_normal(c)
    pads = ((m - 1) // 2, m // 2, (k - 1) // 2, k // 2)

    def theirs(x, w, b):
        x = x.permute(0, 3, 1, 2)
        t = F.conv2d(F.pad(x, tuple(map(int, pads))), w.permute(3, 2, 0, 1), b, groups=int(c))
        return torch.maximum(x, t).permute(0, 2, 3, 1)

    agree(fcnn.frelu, theirs, (x, w, b))
