"""The machine of a measurement: device, versions and settings, and its measured peaks."""

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
    """Measured peaks of this device."""

    flop_per_second: float  # of one large matrix product
    bytes_per_second: float  # of reading and writing one large array


def machine_info(packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Device, processor, settings and the versions of `packages`, as a dict for JSON.

    A package that is not installed has the version None.

    Cost:   two calls of git.

    >>> from fcnn import bench
    >>> bench.machine_info(["jax"])["packages"]["jax"] == jax.__version__
    True
    """
    device = jax.local_devices()[0]
    cores = getattr(os, "sched_getaffinity", None)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted changes": bool(_git("status", "--porcelain")),
        "device": f"{device_name(device)} × {jax.device_count()}",
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
    """Peak FLOP/s of a matrix product, and peak bytes/s of reading and writing an array.

    Both rates are measured in `dtype`. Matrices grow until a product takes 50 ms. Arrays have 16
    and 128 MiB. The highest rate counts.

    Units:  FLOP per second, with two FLOP for a multiply-add; bytes per second.
    Cost:   up to 10 s.

    >>> from fcnn import bench
    >>> bench.roofline("float32").flop_per_second > 1e6
    True
    """
    product = jax.jit(jnp.matmul)
    best, n = 0.0, 1024
    while True:
        a = jnp.ones((n, n), dtype)
        duration = median(seconds({"": (product, (a, a))}, rounds=5)[""])
        best = max(best, 2 * n**3 / duration)
        if duration > 0.05 or n == 8192:
            break
        n *= 2
    return Roofline(best, max(_bytes_per_second(dtype, count) for count in (2**24, 2**27)))


def _bytes_per_second(dtype, count):
    """Rate of negating an array ten times in place, so that the time includes no allocation."""
    a = jnp.ones(count // jnp.dtype(dtype).itemsize, dtype)
    negate = jax.jit(lambda a: jax.lax.fori_loop(0, 10, lambda _, a: -a, a))
    duration = median(seconds({"": (negate, (a,))}, rounds=5)[""])
    return 10 * 2 * a.nbytes / duration


def device_name(device):
    """The platform and the kind of a device, once if they are the same word."""
    return " ".join(dict.fromkeys((device.platform, device.device_kind)))


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
