"""Forward functions from all corners of the field, for the mutation engine.

Half of them, by the checksum of their names, are used while the checker is developed (TUNING). The
other half judges it (JUDGING).
"""

import zlib
from importlib import import_module
from pkgutil import iter_modules

from experiments.checkers.functions.function import Function

_modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
FUNCTIONS: tuple[Function, ...] = tuple(
    function for module in _modules for function in getattr(module, "FUNCTIONS", ())
)
TUNING = tuple(f for f in FUNCTIONS if zlib.crc32(f.name.encode()) % 2 == 0)
JUDGING = tuple(f for f in FUNCTIONS if zlib.crc32(f.name.encode()) % 2 == 1)
