"""Decoder-only transformer: causal attention and dense layers with residual connections.

    x = x + attention(norm(x))
    x = x + dense(gelu(dense(norm(x))))

These two lines are one block. The network has `depth` blocks. Normalization comes first in each
branch (pre-norm), so that deep networks train without a warm-up of the learning rate.
"""

from fcnn.layers import (
    Layer,
    dense,
    embedding,
    gelu,
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
    vocabulary: int = 256, *, depth: int = 4, width: int = 128, heads: int = 4
) -> Layer:
    """Transformer that predicts the next token: blocks of causal attention, then logits.

    Shapes: x (n, t) integers in 0 .. vocabulary - 1 -> logits (n, t, vocabulary); the logits at
            each position are for the next token.
    Options:
        vocabulary: number of tokens.
        depth: number of blocks.
        width: features of each token.
        heads: attention heads of each block; divides `width`.
    Raises: ValueError for counts below 1, or from `init` if `heads` does not divide `width`.
    Source: Vaswani et al., arXiv:1706.03762; pre-norm: Xiong et al., arXiv:2002.04745.

    >>> model = fcnn.models.transformer(10, depth=2, width=16, heads=2)
    >>> fcnn.summary(model, (6,)).rows[-1].output
    (6, 10)
    """
    attention = serial(layer_norm(), multi_head_attention(heads, causal=True))
    mlp = serial(layer_norm(), dense(MLP_RATIO * width), gelu(), dense(width))
    block = serial(residual(attention), residual(mlp), name="block")
    tokens = [embedding(vocabulary, width), positional_encoding()]
    logits = dense(vocabulary, w_init=initializers.lecun)
    return serial(*tokens, repeat(block, depth), layer_norm(), logits, name="transformer")
