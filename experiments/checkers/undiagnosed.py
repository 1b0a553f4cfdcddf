"""Mutants whose mistake fcnn.check catches, but does not name or names otherwise.

The gradients of some have several explanations or none: a weight's gradient truncated in time, one
missing term inside attention, a factor of 3 where an axis has 3 entries.
"""

UNDIAGNOSED = (
    "logsumexp: p forgotten",
    "separable_conv dpointwise",
    "conv dw: reflection ignored",
    "avg_pool, stride 4: gaps filled",
    "avg_pool: by 3, not 3²",
    "lp_pool: 1 / y forgotten",
    "resize_linear: as nearest",
    "layer_norm dscale: z forgotten",
    "rnn dw: each step by itself",
    "rnn du: each step by itself",
    "rnn db: each step by itself",
    "gru dw: the last step alone",
    "gru du: the last step alone",
    "smoothed: two steps",
    "gru du: of each gate",
    "rnn step db: y (1 - y)",
    "rnn step du: h forgotten",
    "rnn step dh: u for uᵀ",
    "lstm cell dc: f forgotten",
    "attention dq: p dp",
    "attention dk: p dp",
    "attention dmask: p dp",
    "attention dq: daᵀ for da",
    "attention dmask: over keys too",
    "attention dv: p forgotten",
    "attention dq: k forgotten",
    "focal: modulation taken as constant",
    "squared_error: dy for dtargets",
    "classic_dropout, later: 1",
    "embedding: the last reading alone",
    "rows: the last reading alone",
    "pad: cropped at the end",
)
