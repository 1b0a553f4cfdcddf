"""The transformer that predicts the next token: attention and dense layers around a shortcut.

    x = x + attention(norm(x))
    x = x + dense(gelu(dense(norm(x))))

`depth` times, with normalization first, which lets deep ones train without a warm-up.
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

WIDER = 4  # times the width: the dense layer within a block


def transformer(
    vocabulary: int = 256, *, depth: int = 4, width: int = 128, heads: int = 4
) -> Layer:
    """`depth` blocks of causal attention over tokens, and logits of the token after each.

    Shapes: (n, t) integers in, (n, t, vocabulary) out.
    Source: Vaswani et al., arXiv:1706.03762; norm first: Xiong et al., arXiv:2002.04745.
    """
    looks = serial(layer_norm(), multi_head_attention(heads, causal=True))
    thinks = serial(layer_norm(), dense(WIDER * width), gelu(), dense(width))
    block = serial(residual(looks), residual(thinks), name="block")
    tokens = [embedding(vocabulary, width), positional_encoding()]
    logits = dense(vocabulary, w_init=initializers.lecun)
    return serial(*tokens, repeat(block, depth), layer_norm(), logits, name="transformer")
