"""What fcnn relies on in hijax, which is experimental, and what it does where a JAX breaks that."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import fcnn
from fcnn.ops.rule import RULE

WITHOUT = Path(__file__).parents[1] / "without_hijax"
needs_hijax = pytest.mark.skipif(RULE != "hijax", reason="custom_vjp is in use")


def promises():
    from fcnn.ops.hijax import PROMISES  # where there is a hijax

    return PROMISES
