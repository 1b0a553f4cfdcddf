"""rnn, lstm and gru against torch.nn, also with packed sequences.

Both libraries have the gates in the same order. torch adds one bias to x w, and another bias to
h u. Only the sum of the two biases matters, except in the candidate of gru. So the tests pass b as
the bias of x w. As the bias of h u they pass bu in the candidate of gru, and 0 in all other gates.
torch's gru applies the reset gate after the product h u.
"""

import numpy as np
import pytest
import torch
from agreement import agree
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import fcnn
from fcnn import layers

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
NAMES = {"RNN": ("w", "u", "b"), "LSTM": ("w", "u", "b"), "GRU": ("w", "u", "b", "bu")}
every_kind = pytest.mark.parametrize("kind", GATES)


def drawn(kind, seed, reads):
    """x, lengths, weights and states. `reads` is the input width of each pass, "c" or "2k"."""
    rng = np.random.default_rng(seed)
    n, t, c, k = map(int, rng.integers(1, 6, size=4))
    g, draw = GATES[kind] * k, rng.standard_normal
    shapes = lambda wide: {"w": (wide, g), "u": (k, g), "b": (g,), "bu": (k,)}
    wide = {"c": c, "2k": 2 * k}
    weights = [draw(shapes(wide[r])[name]) for r in reads for name in NAMES[kind]]
    states = [draw((n, k)) for _ in ("h", "c")[: 1 + (kind == "LSTM")]]
    return draw((n, t, c)), rng.integers(1, t + 1, size=n), weights, states


def by_torch(kind, x, weights, states=(), lengths=None, **options):
    """y and the last states (passes, n, k) of torch.nn's module, with two passes per layer."""
    m = len(NAMES[kind])
    passes = [weights[i : i + m] for i in range(0, len(weights), m)]
    k = len(weights[1])
    options |= {"num_layers": len(passes) // 2, "bidirectional": True, "batch_first": True}
    module = getattr(torch.nn, kind)(x.shape[2], k, dtype=x.dtype, **options)
    named = {}
    for i, (w, u, b, *bu) in enumerate(passes):
        inner = torch.cat([torch.zeros_like(b[k:]), *bu]) if bu else torch.zeros_like(b)
        each = {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": b, "bias_hh": inner}
        at = f"l{i // 2}" + ("_reverse" if i % 2 else "")
        named |= {f"{name}_{at}": value for name, value in each.items()}
    start = (states if kind == "LSTM" else states[0],) if states else ()
    if lengths is None:
        y, ends = torch.func.functional_call(module, named, (x, *start))
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, ends = torch.func.functional_call(module, named, (packed, *start))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    return y, *(ends if kind == "LSTM" else (ends,))


@pytest.mark.parametrize("seed", range(20))
@every_kind
def test_one_direction(kind, seed):
    """Compare y, the last states and all gradients.

    Half of the seeds run in reverse. Half of the seeds have lengths.

    torch can run in reverse only as one of two directions. Both directions get the same weights,
    and the output of one direction is compared.
    """
    x, lengths, weights, states = drawn(kind, seed, reads=["c"])
    m, k, reverse = len(weights), len(weights[1]), seed % 2 == 1
    lengths = lengths if seed // 2 % 2 else None
    f = "relu" if seed % 3 else "tanh"
    options, theirs = ({"activation": f}, {"nonlinearity": f}) if kind == "RNN" else ({}, {})

    def ours(x, *given):
        named = dict(zip((*NAMES[kind], "h", "c"), given, strict=False))
        return getattr(fcnn, kind.lower())(x, **named, lengths=lengths, reverse=reverse, **options)

    def one_direction(x, *given):
        twice = tuple(torch.stack([s, s]) for s in given[m:])
        y, *ends = by_torch(kind, x, given[:m] * 2, twice, lengths, **theirs)
        return y.split(k, -1)[reverse], *(end[int(reverse)] for end in ends)

    agree(ours, one_direction, [x, *weights, *states])


@pytest.mark.parametrize("seed", range(3))
@every_kind
def test_two_layers_of_two_directions(kind, seed):
    """Half of the seeds have lengths."""
    x, lengths, weights, _ = drawn(kind, seed, reads=["c", "c", "2k", "2k"])
    lengths = lengths if seed % 2 else None
    both = lambda: layers.bidirectional(getattr(layers, kind.lower())(len(weights[1])))
    model = layers.serial(one=both(), two=both())

    def ours(x, *weights):
        each = iter(weights)
        one_pass = lambda: {name: next(each) for name in NAMES[kind]}
        directions = lambda: {way: one_pass() for way in ("forward", "backward")}
        params = {"one": directions(), "two": directions()}
        return model.apply(params, {}, x, lengths=lengths)[0]

    agree(ours, lambda x, *weights: by_torch(kind, x, weights, lengths=lengths)[0], [x, *weights])
