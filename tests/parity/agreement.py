"""Compare the outputs and all gradients of a function of fcnn and a function of torch."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import torch

WITHIN = 1e-10  # relative to the largest entry, in float64


def agree(
    ours: Callable, theirs: Callable, arrays: Sequence[np.ndarray | None], within: float = WITHIN
) -> None:
    """Assert that `ours`, a function of JAX arrays, and `theirs`, of torch tensors, agree.

    Both functions take arrays in fcnn's layout, and return one array or a tuple of arrays. The
    gradients of all floating arrays are compared too, with one random cotangent per output.
    """
    floats = [i for i, a in enumerate(arrays) if a is not None and a.dtype.kind == "f"]

    def run(*given):
        call = lambda *x: _tuple(ours(*_put(arrays, floats, x)))
        y, pull = jax.vjp(call, *given)
        return y, pull(tuple(jnp.asarray(_cotangent(i, a.shape)) for i, a in enumerate(y)))

    y, grads = jax.jit(run)(*(jnp.asarray(arrays[i]) for i in floats))
    tensors = [None if a is None else torch.tensor(np.asarray(a)) for a in arrays]
    for i in floats:
        tensors[i].requires_grad_()
    wanted = _tuple(theirs(*tensors))
    dots = [(a * torch.tensor(_cotangent(i, a.shape))).sum() for i, a in enumerate(wanted)]
    wanted_grads = torch.autograd.grad(sum(dots), [tensors[i] for i in floats])
    for what, a, b in [
        *((f"output {i}", a, b) for i, (a, b) in enumerate(zip(y, wanted, strict=True))),
        *(
            (f"input {i}'s gradient", a, b)
            for i, a, b in zip(floats, grads, wanted_grads, strict=True)
        ),
    ]:
        b = b.detach().numpy()
        assert a.shape == b.shape, f"{what}: shape {a.shape} in fcnn, {b.shape} in torch"
        off = np.abs(np.asarray(a) - b).max(initial=0)
        assert off <= within * max(1, np.abs(b).max(initial=0)), f"{what}: differs by {off}"


def _tuple(y):
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def _put(arrays, indices, values):
    arrays = list(arrays)
    for i, value in zip(indices, values, strict=True):
        arrays[i] = value
    return arrays


def _cotangent(i, shape):
    return np.random.default_rng(1000 + i).standard_normal(shape)
