"""Mistakes of shape: G has another than the argument, so that entries cannot be compared as they are."""

import itertools

import numpy as np

from fcnn.checker.diagnosis.order import listed
from fcnn.checker.diagnosis.situation import Mistake, Situation


def other_shape(s: Situation) -> Mistake:
    G, R = s.G, s.R
    same = lambda a: a.shape == R.shape and np.abs(a - R).max(initial=0) <= s.tolerance * s.top
    says = f"has shape {G.shape}, not {R.shape}"
    for size in range(1, G.ndim + 1):
        for axes in itertools.combinations(range(G.ndim), size):
            for keep in (False, True):
                if same(G.sum(axes, keepdims=keep)):
                    says += f": it must be summed over {listed(axes)}, along which {s.names[s.i]} is shared"
                    return Mistake("not reduced", says)
                if same(G.mean(axes, keepdims=keep)):
                    return Mistake("not reduced", f"{says}: it is not averaged over {listed(axes)}")
    for axis in range(min(G.ndim, R.ndim)):
        if G.ndim == R.ndim and R.shape[axis] and G.shape[axis] % R.shape[axis] == 0:
            m = G.shape[axis] // R.shape[axis]
            head, tail = G.shape[:axis], G.shape[axis + 1 :]
            for split, along in (((R.shape[axis], m), axis + 1), ((m, R.shape[axis]), axis)):
                total = G.reshape(*head, *split, *tail).sum(along)
                if same(total):
                    return Mistake(
                        "not reduced", f"{says}: every {m} of axis {axis} must be summed"
                    )
    for order in itertools.permutations(range(G.ndim)):
        if same(G.transpose(order)):
            return Mistake("transposed", f"{says}: it is the right gradient, transposed")
    if G.size == R.size and same(G.reshape(R.shape)):
        return Mistake("shape", f"{says}; its numbers are right")
    if R.size == 1 or (G.size == 1 and np.abs(G.sum() - R.sum()) <= s.tolerance * s.top * R.size):
        return Mistake("reduced too far", f"{says}: it is the sum over all entries")
    for size in range(1, R.ndim + 1):
        for axes in itertools.combinations(range(R.ndim), size):
            total = R.sum(axes)
            if (
                total.shape == G.shape
                and np.abs(total - G).max(initial=0) <= s.tolerance * s.top * 10
            ):
                return Mistake("reduced too far", f"{says}: it was summed over {listed(axes)} too")
    return Mistake("shape", says)
