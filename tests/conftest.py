"""Strict by default: float64, no silent promotion, full precision, every annotation executed.

Programs here are compiled far more often than run, so LLVM's slow passes are left out. XLA's own,
fusion among them, stay.
"""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_force_host_platform_device_count=2"
    + " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")

install_import_hook("fcnn", "typecheck.checked")


@pytest.fixture
def key():
    return jax.random.key(0)
