"""Level 6: experiments. `python -m experiments NAME` runs experiment NAME and writes its report."""

NAMES = ("fc_vs_conv", "checkers", "speed")
