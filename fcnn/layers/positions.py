"""Position encoding as a layer: positions are given, or counted in a decoding cache."""

from fcnn import ops
from fcnn.layers.cache import advanced, place, start_of
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import with_state


def positional_encoding(*, base: float = 10000.0) -> Layer:
    """`fcnn.positional_encoding`: sines and cosines of the positions, added to x.

    Shapes: x (n, t, c) -> y (n, t, c), with c even. Reads: positions (t,) or (n, t), else
            0 .. t - 1; with a decoding cache they continue, and lengths (n,) counts the steps of x.
            Cache: position (n,).
    Options:
        base: at least 1; frequencies fall from 1 to almost 1 / base radians per step.
    Raises: ValueError from `apply` if c is odd or x does not have 3 axes.
    Source: Vaswani et al., arXiv:1706.03762.

    >>> y, _ = fcnn.layers.positional_encoding().apply({}, {}, jnp.zeros((1, 3, 2)))
    >>> np.asarray(y)[0, :, 1].round(2)  # cosines
    array([ 1.  ,  0.54, -0.42], dtype=float32)
    """

    def init(key, x, plan):
        return {}, {} if plan.cache is None else start_of(x)

    def forward(params, state, x, call):
        new_state = advanced(state, call, x)
        y = ops.positional_encoding(x, place(call, x, state.get("position")), base=base)
        return y, new_state

    reads = frozenset({"positions", "lengths"})
    return with_state("positional_encoding", forward, init, reads=reads, decodes=True)
