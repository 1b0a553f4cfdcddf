"""Level 6: claims. One file, one claim, one receipt; `python -m experiments NAME` runs one."""

NAMES = ("fc_vs_conv", "checkers")
