"""Repeat a command whenever a file of the user is saved, until Ctrl-C.

Watched are the given files, and the modules that they import from their own folder. `Imports`
notes these modules while Python looks for them, so a module is watched even if it has a mistake,
or does not exist yet. Before each repetition they are removed from `sys.modules`, so that
Python reads them again.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.machinery import PathFinder
from pathlib import Path
from time import sleep

INTERVAL = 0.2  # seconds between two looks at the files
CLEAR = "\x1b[H\x1b[2J"  # ANSI: clear the screen of a terminal, and keep its history
Stamp = tuple[int, int, int] | None  # of a file: time, size and inode; None if it does not exist


class Imports:
    """The local modules that Python has looked for, by name, and all watched files.

    It is the first entry of `sys.meta_path`, and finds no module itself. Modules of packages that
    were imported before, and of installed packages, are not local.
    """

    def __init__(self, paths: Sequence[Path]):
        self.folders = {path.resolve().parent for path in paths}
        self.before = {name.partition(".")[0] for name in sys.modules}
        self.names: set[str] = set()
        self.stamps: dict[Path, Stamp] = {path.resolve(): stamp(path) for path in paths}

    def find_spec(self, name, path=None, target=None) -> None:
        if name.partition(".")[0] in self.before:
            return
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            files = [folder / f"{name}.py" for folder in self.folders] if path is None else []
        else:
            places = [spec.origin or "", *(spec.submodule_search_locations or ())]
            if not any(map(self._is_local, places)):
                return
            self.names.add(name)
            files = [Path(spec.origin)] if spec.has_location and spec.origin else []
        for file in files:
            self.stamps.setdefault(file.resolve(), stamp(file))

    def _is_local(self, place: str) -> bool:
        path = Path(place).resolve()
        installed = "site-packages" in path.parts or "dist-packages" in path.parts
        return not installed and any(folder in path.parents for folder in self.folders)

    def forget(self) -> None:
        """Remove the local modules from `sys.modules`, and note the present state of all files."""
        for name in self.names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        self.stamps = {path: stamp(path) for path in self.stamps}

    def changed(self) -> list[Path]:
        """The files that were saved, created or deleted since their state was noted."""
        return [path for path, before in self.stamps.items() if stamp(path) != before]


def stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def watch(paths: Sequence[Path], run: Callable[[], int], *, clear: bool) -> int:
    """Call `run` now and after each change, and return its last exit code after Ctrl-C.

    `clear` clears the terminal before each further call; otherwise a line separates the outputs.
    """
    imports = Imports(paths)
    sys.meta_path.insert(0, imports)  # pyright: ignore[reportArgumentType]
    sys.dont_write_bytecode = True  # Python compares only seconds and size with a .pyc file
    code = 130
    try:
        while True:
            code = run()
            if code == 130:  # Ctrl-C during the check
                return code
            note(f"watching {listed(imports.stamps)}; press Ctrl-C to end")
            saved = wait(imports)
            heading = f"{datetime.now():%H:%M:%S}  {listed(saved)} changed"
            if clear:
                print(CLEAR, end="", flush=True)
            note(heading if clear else f"\n──── {heading} ────")
            imports.forget()
    except KeyboardInterrupt:
        return code
    finally:
        sys.meta_path.remove(imports)  # pyright: ignore[reportArgumentType]


def wait(imports: Imports) -> list[Path]:
    """Wait until a file has changed, and until a whole interval passes without another change."""
    seen, files = None, []
    while True:
        now = [stamp(path) for path in imports.stamps]
        files = imports.changed()
        if files and now == seen:
            return files
        seen = now
        sleep(INTERVAL)


def listed(paths: Sequence[Path] | dict[Path, Stamp]) -> str:
    """The names of the files that exist, or of all if none exists; at most four names."""
    names = [path.name for path in paths if path.exists()] or [path.name for path in paths]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
