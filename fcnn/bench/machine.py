"""What a measurement depends on besides the program: the machine, and how fast it is at most."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fcnn.bench.measure import seconds

PACKAGES = ("fcnn", "jax", "jaxlib", "optax", "numpy")


class Roofline(NamedTuple):
    """What no program here exceeds."""

    flop_per_second: float  # of one large matrix product
    bytes_per_second: float  # of reading and writing one large array


def machine_info(packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """The machine, the settings and the versions of `packages`, as JSON takes them."""
    device = jax.local_devices()[0]
    cores = getattr(os, "sched_getaffinity", None)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted changes": bool(_git("status", "--porcelain")),
        "device": f"{device.platform} {device.device_kind} × {jax.device_count()}",
        "processor": _processor(),
        "cores": len(cores(0)) if cores else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "float64": jax.config.values["jax_enable_x64"],
        "matmul precision": jax.config.values["jax_default_matmul_precision"] or "default",
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
    }


def roofline(dtype: DTypeLike) -> Roofline:
    """Measured: products of growing matrices until one takes 50 ms; arrays of 16 and of 128 MiB."""
    product = jax.jit(jnp.matmul)
    best, n = 0.0, 1024
    while True:
        a = jnp.ones((n, n), dtype)
        took = median(seconds({"": (product, (a, a))}, rounds=5)[""])
        best = max(best, 2 * n**3 / took)
        if took > 0.05 or n == 8192:
            break
        n *= 2
    return Roofline(best, max(_bytes_per_second(dtype, count) for count in (2**24, 2**27)))


def _bytes_per_second(dtype, count):
    """In place, ten times over: a new array's memory costs more to get than to write."""
    a = jnp.ones(count // jnp.dtype(dtype).itemsize, dtype)
    again = jax.jit(lambda a: jax.lax.fori_loop(0, 10, lambda _, a: -a, a))
    took = median(seconds({"": (again, (a,))}, rounds=5)[""])
    return 10 * 2 * a.nbytes / took


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*words):
    try:
        done = subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "")
