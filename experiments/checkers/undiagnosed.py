"""Mutants that fcnn.check catches, but whose mistake it names wrongly or not at all.

Some of these gradients fit several mistakes, or none. Examples are a weight's gradient that is
truncated in time, a gradient of attention that lacks one term, and a factor of 3 where an axis has
3 entries.
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
    "smoothed: two steps",
    "gru du: of each gate",
    "rnn step db: y (1 - y)",
    "attention dq: p dp",
    "attention dk: p dp",
    "attention dmask: p dp",
    "attention dmask: over keys too",
    "attention dv: p forgotten",
    "attention dq: k forgotten",
    "focal: modulation taken as constant",
    "squared_error: dy for dtargets",
    "classic_dropout, later: 1",
    "embedding: the last reading alone",
    "rows: the last reading alone",
    "pad: cropped at the end",
    "wrapped conv dx: not folded",
    "reflected conv dx: not folded",
    "edged conv dx: not folded",
    "causal conv dw: acausal",
    "avg_pool: last window by all of 3²",
    "variance: 2 x / n",
    "unit: dy / |x|",
)
