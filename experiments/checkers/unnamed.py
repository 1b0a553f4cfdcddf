"""Mutants whose mistake fcnn.check catches, but calls by another name than they do, or by none.

Some leave no trace that tells: the gradient of a weight of a recurrent network cut off in time, one
term inside attention. Some are two mistakes in one number: a factor of 3 where an axis has 3 entries.
"""

UNNAMED = (
    "logsumexp: p forgotten",
    "attention dq: p dp",
    "attention dk: p dp",
    "attention dmask: p dp",
    "attention dq: daᵀ for da",
    "attention dmask: over keys too",
    "attention dv: p forgotten",
    "attention dq: k forgotten",
    "embedding: the last reading alone",
    "rows: the last reading alone",
    "pad: cropped at the end",
    "separable_conv dpointwise",
    "causal conv dw: acausal",
    "conv dw: reflection ignored",
    "classic_dropout, later: 1",
    "focal: modulation taken as constant",
    "hinge: the label's own entry",
    "squared_error: dy for dtargets",
    "layer_norm dscale: z forgotten",
    "largest of a row: dy to each",
    "avg_pool, stride 4: gaps filled",
    "avg_pool: by 3, not 3²",
    "lp_pool: 1 / y forgotten",
    "resize_linear: as nearest",
    "rnn dw: each step by itself",
    "rnn du: each step by itself",
    "rnn db: each step by itself",
    "gru dw: the last step alone",
    "gru du: the last step alone",
)
