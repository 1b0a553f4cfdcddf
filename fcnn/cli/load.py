"""Import of a Python file of the user, as `python FILE` would run it.

The module is in `sys.modules`, where dataclasses, pickle and typing.get_type_hints look for it. A
file in a package is imported by its dotted name, so that its relative imports work. During the
import, `sys.argv` has no arguments. Warning filters that the file sets are removed after the
import.
"""

import importlib
import importlib.util
import io
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import ModuleType
from typing import Any

from fcnn.checker.raised import RaisedError

CHECKED = "check: "  # the start of the checker's own error messages


def load(path: Path) -> ModuleType:
    """The module of the file at `path`.

    Raises: ValueError, in one line, for a path that is not a Python file, and for a file that fails
            or exits.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; write FILE.py:NAME")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.suffix != ".py":
        raise ValueError(f"{path} is not a Python file; its name must end in .py")
    root, name = _place(path.resolve())
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    guard = 'put statements of a script under if __name__ == "__main__":'
    with blamed(path, hint_at_exit=f"; {guard}"), _as_a_script(path):
        if root == path.resolve().parent:
            return _executed(path, _free(name, path))
        module = importlib.import_module(name)
    if not _is(module, path):
        raise ValueError(f"{path}: {name} is another file, {module.__file__}; rename one of them")
    return module


@contextmanager
def blamed(path: Path | None, what: str = "", hint_at_exit: str = "") -> Iterator[None]:
    """Turn errors of the user's code into a ValueError of one line: FILE.py:LINE: TypeError: ...

    LINE is the last line of the file at `path` that ran. If none ran, `what` names the function.
    `sys.exit` is an error too, because it would end the check early with success. An interrupt by
    Ctrl-C passes through unchanged.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except SystemExit as left:
        code = "" if left.code is None else repr(left.code)
        printed = "".join(f": {line}" for line in getattr(left, "__notes__", []))
        message = f"calls sys.exit({code}), so nothing was checked{printed}"
        raise ValueError(f"{_where(left, path, what)}: {message}{hint_at_exit}") from None
    except RaisedError as wrong:
        raise ValueError(f"{_where_raised(wrong, path, what)}: {wrong.sentence}") from None
    except BaseException as wrong:
        if str(wrong).startswith(CHECKED):
            message = str(wrong).removeprefix(CHECKED)
            raise ValueError(f"{_where(wrong, path, what)}: {message}") from None
        first = (str(wrong).strip().splitlines() or [""])[0]
        message = f"{type(wrong).__name__}: {first}"
        raise ValueError(f"{_where(wrong, path, what)}: {message}") from None


def _where_raised(error, path, what):
    """FILE:LINE of the call that raised, or FILE.py: WHAT if it is not in a file of the user."""
    if not error.file:
        return ": ".join(filter(None, (str(path or ""), what)))
    return f"{path if path and _same(error.file, path) else error.file}:{error.line}"


def _where(error, path, what):
    """FILE.py:LINE, or FILE.py: WHAT; for an operator only its name."""
    if path is None:
        return what
    ran = traceback.walk_tb(error.__traceback__)
    inside = [line for frame, line in ran if _same(frame.f_code.co_filename, path)]
    if isinstance(error, SyntaxError) and error.filename and _same(error.filename, path):
        inside.append(error.lineno or 1)
    return f"{path}:{inside[-1]}" if inside else ": ".join(filter(None, (str(path), what)))


def _same(name, path):
    return Path(name).resolve() == path.resolve()


def _place(path):
    """The folder to import from, and the name of the module there, dotted in a package."""
    root, names = path.parent, [] if path.stem == "__init__" else [path.stem]
    while root.name and (root / "__init__.py").is_file():
        root, names = root.parent, [root.name, *names]
    return root, ".".join(names)


def _free(name, path):
    """`name`, with underscores added until no other module has it."""
    known = sys.modules.get(name)
    taken = name in sys.stdlib_module_names or (known is not None and not _is(known, path))
    return _free(f"{name}_", path) if taken else name


def _is(module, path):
    file = getattr(module, "__file__", None)
    return file is not None and _same(file, path)


def _executed(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _as_a_script(path):
    """Run with only the path in `sys.argv`, and hold back standard error.

    If the file exits, as argparse does, the last line on standard error becomes a note of
    SystemExit, and the other lines are dropped.
    """
    given, sys.argv = sys.argv, [str(path)]
    held: Any = _Held(sys.stderr)
    try:
        with warnings.catch_warnings(), redirect_stderr(held):
            yield
    except SystemExit as left:
        for line in held.pending.getvalue().strip().splitlines()[-1:]:
            left.add_note(line.strip())
        held.pending = io.StringIO()
        raise
    finally:
        sys.argv = given
        held.release()


class _Held:
    """A stream that holds its output back until `release`, and later writes to `stream` directly.

    A logging handler of the file may still use this stream after the import.
    """

    def __init__(self, stream):
        self.stream, self.pending = stream, io.StringIO()

    def write(self, text: str) -> int:
        return (self.pending or self.stream).write(text)

    def release(self) -> None:
        pending, self.pending = self.pending, None
        if pending is not None:
            self.stream.write(pending.getvalue())

    def __getattr__(self, name: str):
        return getattr(self.stream, name)
