"""Linear probes: softmax regression on fixed features, at the best strength of an L2 penalty.

    loss = mean cross-entropy(x w + b, y) + strength ½ |w|²

Features are standardized by the training images. All probes of all seeds and strengths are one
compiled program. Source: Alain & Bengio 2016.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from experiments.framework import interrupt
from fcnn.data import Images

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
STEPS, RATE = 300, 0.1  # of Adam on all images; the rate falls to 0 along a cosine


def probe(train: Images, validation: Images, test: Images, classes: int) -> dict[str, Any]:
    """Test accuracy at the strength with the highest mean accuracy on validation.

    Shapes: x of each (seeds, n, features), y (n,); the accuracy has one entry per seed.
    """
    interrupt.check()
    mean, scale = train.x.mean(1, keepdims=True), train.x.std(1, keepdims=True)
    standard = lambda x: (x - mean) / np.where(scale > 1e-6, scale, 1)
    strengths = np.array(STRENGTHS, np.float32)
    weights = fit(standard(train.x), train.y, strengths, classes=classes)
    w, b = map(np.asarray, weights)  # (strengths, seeds, features, classes), (…, 1, classes)
    right = lambda images: ((standard(images.x) @ w + b).argmax(-1) == images.y).mean(-1)
    best = int(right(validation).mean(1).argmax())
    return {"strength": STRENGTHS[best], "test": right(test)[best].tolist()}


@partial(jax.jit, static_argnames="classes")
def fit(x, y, strengths, *, classes):
    """Weights by strength and seed. Shapes: x (seeds, n, features), strengths (s,)."""
    one = partial(_fit, classes=classes)
    return jax.vmap(jax.vmap(one, (0, None, None)), (None, None, 0))(x, y, strengths)


def _fit(x, y, strength, *, classes):
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
    params = jnp.zeros((x.shape[1], classes), x.dtype), jnp.zeros((1, classes), x.dtype)

    def loss(params):
        w, b = params
        return fcnn.softmax_cross_entropy(x @ w + b, y).mean() + strength / 2 * (w**2).sum()

    def step(carry, _):
        params, opt_state = carry
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=STEPS)
    return params
