"""Transformer: attention and dense layers with residual connections.

    x = x + attention(norm(x))
    x = x + dense(gelu(dense(norm(x))))

These two lines are one block. The network has `depth` blocks. Normalization comes first in each
branch (pre-norm), so that deep networks train without a warm-up of the learning rate. The decoder
attends to earlier tokens only, and predicts the next token at each position. The encoder attends to
all real tokens, and classifies the mean of their outputs.
"""

from fcnn import layers
from fcnn.layers import (
    Layer,
    dense,
    embedding,
    gelu,
    global_avg_pool,
    initializers,
    layer_norm,
    multi_head_attention,
    positional_encoding,
    repeat,
    residual,
    serial,
)

MLP_RATIO = 4  # features of the hidden dense layer of a block / width


def transformer(
    vocabulary: int = 256,
    *,
    classes: int | None = None,
    depth: int = 4,
    width: int = 128,
    heads: int = 4,
    groups: int | None = None,
    dropout: float = 0.0,
) -> Layer:
    """Transformer: a decoder that predicts the next token, or an encoder that classifies.

    Shapes: x (n, t) integers in 0 .. vocabulary - 1 -> logits (n, t, vocabulary), at each position
            for the next token; with `classes`, logits (n, classes). Reads: lengths (n,) or
            mask (n, t), for tokens with padding; positions (t,) or (n, t). With `init_cache`, a
            decoder decodes step by step.
    Options:
        vocabulary: number of tokens.
        classes: number of classes of an encoder; None for a decoder.
        depth: number of blocks.
        width: features of each token.
        heads: attention heads of each block; divides `width`.
        groups: heads of keys and values, which the cache holds; divides `heads`; `heads` if None.
        dropout: probability of dropping at the end of each branch; 0 for no dropout.
    Raises: ValueError for counts below 1, or from `init` if `heads` does not divide `width`.
    Source: Vaswani et al., arXiv:1706.03762; pre-norm: Xiong et al., arXiv:2002.04745.

    >>> decoder = fcnn.models.transformer(10, depth=2, width=16, heads=2)
    >>> fcnn.summary(decoder, (6,)).rows[-1].output
    (6, 10)
    >>> encoder = fcnn.models.transformer(10, classes=3, depth=2, width=16, heads=2)
    >>> params, state = encoder.init(jax.random.key(0), (6,))
    >>> tokens, lengths = jnp.array([[1, 2, 3, 0, 0, 0]]), jnp.array([3])
    >>> encoder.apply(params, state, tokens, lengths=lengths)[0].shape
    (1, 3)
    """
    drop = [layers.dropout(dropout)] if dropout else []
    attend = multi_head_attention(heads, groups=groups, causal=classes is None)
    attention = serial(layer_norm(), attend, *drop)
    mlp = serial(layer_norm(), dense(MLP_RATIO * width), gelu(), dense(width), *drop)
    block = serial(residual(attention), residual(mlp), name="block")
    body = [embedding(vocabulary, width), positional_encoding(), repeat(block, depth), layer_norm()]
    head = [] if classes is None else [global_avg_pool()]
    logits = dense(vocabulary if classes is None else classes, w_init=initializers.lecun)
    return serial(*body, *head, logits, name="transformer")
