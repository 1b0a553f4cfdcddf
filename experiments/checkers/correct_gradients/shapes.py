"""Correct gradients with empty or large arrays, integers, keys, several outputs or many steps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import fcnn
from experiments.checkers.build import ints, key, problem

activation, affine = partial(problem, "activation"), partial(problem, "affine")
convolution, pooling = partial(problem, "convolution"), partial(problem, "pooling")
normalization, loss = partial(problem, "normalization"), partial(problem, "loss")
attention, recurrent = partial(problem, "attention"), partial(problem, "recurrent")
indexing, stochastic = partial(problem, "indexing"), partial(problem, "stochastic")
EMPTY, LARGE, INTEGERS, RANDOM = "empty", "large array", "integers", "randomness"
ZERO, SEVERAL, MANY = "zero gradient", "several outputs", "many steps"

ROWS = ((7, 5), ints((7,), 5))
LSTM = ((3, 4, 6), (6, 20), (5, 20), (20,))
HEADS = ((3, 5, 6), (6, 4, 7), (6, 4, 7), (6, 4, 7), (4, 7, 8), (4, 7))
IMAGES = ((4, 3, 2, 5), key)

RNN = ((3, 4, 6), (6, 5), (5, 5), (5,))
STATE = ((7, 5), (5,), (5,), (5,), lambda rng: rng.uniform(0.5, 2, 5))

cross_entropy = fcnn.softmax_cross_entropy
rotary = fcnn.rotary_embedding
rnn = lambda x, w, u, b, lengths=None: fcnn.rnn(x, w, u, b, lengths=lengths)
indexed = partial(fcnn.max_pool_with_indices, window=2)
drop = partial(fcnn.dropout, rate=0.3)
drop_channels = partial(fcnn.spatial_dropout, rate=0.3)
drop_examples = partial(fcnn.stochastic_depth, rate=0.4)
pool = partial(fcnn.max_pool, window=2)
training = partial(fcnn.batch_norm, train=True)
constant = lambda x: x * 0 + 1
steps = lambda x: jnp.floor(3 * x)
total_of_softmax = lambda x: fcnn.softmax(x).sum(1)
total_of_norm = lambda x: fcnn.layer_norm(x, x[0] * 0 + 1, x[0] * 0).sum(1)
noisy = lambda x, key: x + jax.random.normal(key, x.shape, x.dtype)
heads = lambda x, wq, wk, wv, wo, bk: fcnn.multi_head_attention(x, wq, wk, wv, wo, bk=bk)
rows = lambda x, ids: x[ids]
sine_and_square = lambda x: (jnp.sin(x), x * x)
first_and_rest = lambda x: {"first": x[0], "rest": (x[1:], x.sum(1))}


def shifted(x, b):
    """batch_norm of x + b. The output does not depend on b."""
    one = jnp.ones_like(b)
    return fcnn.batch_norm(x + b[None], one, one, one, one, train=True)[0]


def smoothed(x):
    """h[t] = 0.99 h[t-1] + 0.01 x[t]"""
    following = lambda h, x: (0.99 * h + 0.01 * x,) * 2
    return lax.scan(following, jnp.zeros_like(x[0]), x)[1]


def smoothed_dx(dy):
    following = lambda dh, dy: (0.99 * (dh + dy), 0.01 * (dh + dy))
    return lax.scan(following, jnp.zeros_like(dy[0]), dy, reverse=True)[1]


def added(x, ids, dy):
    return jnp.zeros_like(x).at[ids].add(dy)


def two_parts(x, dy):
    return jnp.cos(x) * dy[0] + 2 * x * dy[1]


def of_first_and_rest(x, dy):
    rest, total = dy["rest"]
    return (x * 0 + total[:, None]).at[0].add(dy["first"]).at[1:].add(rest)


def nothing(g):
    return jnp.zeros_like(g)


def lengths(rng):
    return np.array([4, 0, 2], np.int32)


CORRECT_GRADIENTS = (
    activation(EMPTY, "relu of nothing", fcnn.relu, ((0, 5),)),
    affine(EMPTY, "dense without examples", fcnn.dense, ((0, 3), (3, 5), (5,))),
    convolution(EMPTY, "conv without examples", fcnn.conv, ((0, 5, 7, 4), (3, 3, 4, 6), (6,))),
    normalization(EMPTY, "layer_norm without examples", fcnn.layer_norm, ((0, 5), (5,), (5,))),
    pooling(EMPTY, "max_pool without examples", pool, ((0, 4, 6, 5),)),
    loss(EMPTY, "cross entropy without examples", cross_entropy, ((0, 5), ints((0,), 5))),
    indexing(EMPTY, "embedding of no ids", fcnn.embedding, ((11, 4), ints((0, 7), 11))),
    indexing(INTEGERS, "embedding", fcnn.embedding, ((11, 4), ints((7, 5), 11))),
    indexing(INTEGERS, "rows, some of them twice", rows, ((7, 5), ints((11,), 7)), dx=added),
    loss(INTEGERS, "cross entropy of labels", cross_entropy, ROWS),
    loss(INTEGERS, "nll of labels", fcnn.nll, ROWS),
    recurrent(INTEGERS, "rnn with lengths", rnn, (*RNN, lengths)),
    attention(INTEGERS, "rotary_embedding at positions", rotary, ((3, 5, 4, 6), ints((5,), 99))),
    stochastic(RANDOM, "dropout", drop, IMAGES),
    stochastic(RANDOM, "spatial_dropout", drop_channels, IMAGES),
    stochastic(RANDOM, "stochastic_depth", drop_examples, IMAGES),
    stochastic(RANDOM, "x + noise", noisy, IMAGES, dx=lambda dy: dy),
    activation(ZERO, "constant", constant, ((7, 5),), dx=nothing),
    activation(ZERO, "steps", steps, ((7, 5),), dx=nothing),
    activation(ZERO, "sum of softmax", total_of_softmax, ((7, 5),), dx=nothing),
    normalization(ZERO, "bias before batch_norm", shifted, ((7, 5), (5,)), db=nothing),
    normalization(ZERO, "sum of layer_norm", total_of_norm, ((7, 5),), dx=nothing),
    attention(ZERO, "bias of keys", heads, HEADS, dbk=nothing),
    activation(LARGE, "relu of 10⁶", fcnn.relu, ((1000, 1000),)),
    activation(LARGE, "softmax of 10⁶", fcnn.softmax, ((1000, 1000),)),
    pooling(LARGE, "max_pool of 10⁶", pool, ((1, 1000, 1000, 1),)),
    affine(LARGE, "dense, w of 10⁶", fcnn.dense, ((3, 1000), (1000, 1000))),
    normalization(LARGE, "layer_norm of 10⁶", fcnn.layer_norm, ((1000, 1000), (1000,), (1000,))),
    activation(SEVERAL, "sine and square", sine_and_square, ((7, 5),), dx=two_parts),
    activation(SEVERAL, "first and rest", first_and_rest, ((7, 5),), dx=of_first_and_rest),
    normalization(SEVERAL, "batch_norm and its state", training, STATE),
    recurrent(SEVERAL, "lstm and its last state", fcnn.lstm, LSTM),
    pooling(SEVERAL, "max_pool and indices", indexed, ((3, 4, 6, 5),)),
    recurrent(MANY, "smoothed over 2,000 steps", smoothed, ((2000, 3),), dx=smoothed_dx),
    recurrent(MANY, "rnn over 300 steps", rnn, ((3, 300, 6), *RNN[1:])),
)
