"""The training that is struck by faults: `fcnn train`, with a state of 17 MB.

48 steps in 4 epochs, with a checkpoint after every 4: three in each epoch, of which two are in
the middle of it. The network has dropout, so keys count, and batch normalization, so it has a
state besides its parameters.
"""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import fcnn
from experiments.faults.child import Child

EPOCHS, STEPS, EVERY, BATCH = 4, 12, 4, 48  # STEPS of an epoch
NETWORK = '''"""A network whose state with Adam has 17 MB."""

from fcnn import layers


def net(classes):
    return layers.serial(
        layers.dense(1200),
        layers.batch_norm(),
        layers.relu(),
        layers.dropout(0.2),
        layers.dense(1200),
        layers.relu(),
        layers.dense(classes),
    )
'''
NAN = (236, 7)  # entry of x that is not a number in nan.npz; its example is in step 9
PROGRAM = "import runpy; runpy.run_module('fcnn', run_name='__main__', alter_sys=True)"


class Task:
    """Files of the training in a folder, and the children that train.

    All children see the same cores, flags and settings, since bits depend on them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "net.py").write_text(NETWORK, encoding="utf-8")
        rng = np.random.default_rng(0)
        x = rng.standard_normal((STEPS * BATCH + 64, 64)).astype(np.float32)
        y = x[:, :10].argmax(1).astype(np.int32)
        arrays = {"x": x[64:], "y": y[64:], "x_validation": x[:64], "y_validation": y[:64]}
        np.savez(folder / "data.npz", **arrays)
        arrays["x"] = arrays["x"].copy()
        arrays["x"][NAN] = np.nan
        np.savez(folder / "nan.npz", **arrays)
        self._children: list[Child] = []
        self._stopped = threading.Event()

    def start(
        self,
        output: Path,
        *,
        cache: str = "cache",
        data: str = "data.npz",
        options: Sequence[str] = (),
        before: str = "",
    ) -> Child:
        """Start `fcnn train`, with another statement before it if there is one.

        Raises: InterruptedError after `stop`.
        """
        if self._stopped.is_set():
            raise InterruptedError("the experiment was interrupted")
        program = ["-c", f"{before}; {PROGRAM}"] if before else ["-m", "fcnn"]
        sizes = {"epochs": EPOCHS, "batch-size": BATCH, "every": EVERY, "output": output}
        named = [word for k, v in sizes.items() for word in (f"--{k}", f"{v}")]
        words = ["train", "net.py:net", data, *named, "--compile-cache", cache, *options]
        child = Child([sys.executable, *program, *words], self.folder, environment())
        self._children.append(child)
        return child

    def stop(self) -> None:
        """End all children."""
        self._stopped.set()
        for child in self._children:
            if child.process.poll() is None:
                child.kill()


def environment() -> Mapping[str, str]:
    """The environment of all children: that of the experiment, on CPU, with compiled programs."""
    root = f"{Path(fcnn.__file__).parents[1]}"
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), root]
    settings = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "true"}
    return os.environ | settings | {"PYTHONPATH": os.pathsep.join(paths)}
