"""A chain of equal blocks as one loop.

    repeat(f, 3)      y = f3(f2(f1(x)))      f1, f2, f3 are f with different parameters

The parameters and the state are those of one block, each with a leading axis n.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from fcnn.layers.combinators import require_layer
from fcnn.layers.layer import Layer
from fcnn.ops.validation import named, require, require_counts


def repeat(block: Layer, n: int, *, name: str = "repeat") -> Layer:
    """Chain of n equal blocks, each with its own parameters, state and key.

    All parameters and state have a leading axis n. `lax.scan` runs the block over this axis,
    so the compiled program has the same size for every n.

    Shapes: x, y and the output of the block have the same shape.
    Options:
        block: the layer to repeat.
        n: number of blocks.
        name: name of the layer, by which an outer `serial` numbers it.
    Raises: ValueError from `init` if the block changes the shape; TypeError if the block is
            not a layer, or n is not an integer.

    >>> params, _, y = fcnn.layers.shapes(fcnn.layers.repeat(fcnn.layers.dense(3), 4), (3,))
    >>> params["w"].shape, y.shape
    ((4, 3, 3), (3,))
    """
    with named(name):
        require_layer(block)
        require_counts(n=n)

    def setup(key, x, plan):
        y = None

        def made(key):
            nonlocal y  # vmap returns arrays only
            params, state, y = block.setup(key, x, dataclasses.replace(plan, times=plan.times * n))
            return params, state

        params, state = jax.vmap(made)(jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(n)))
        shape = lambda tree: jax.tree.map(lambda a: a.shape[1:], tree)
        one, two = shape(x), shape(y)
        require(one == two, f"block input {one} and output {two} differ; use serial")
        return params, state, y

    def forward(params, state, x, call):
        def step(x, block_i):
            p, s, i = block_i
            return block.forward(p, s, x, call.block(i))

        return lax.scan(step, x, (params, state, jnp.arange(n)))

    return dataclasses.replace(block, name=name, setup=setup, forward=forward, multiply_adds=None)
