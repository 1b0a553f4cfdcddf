"""The source that measures an experiment, as a hash. A run keeps the hash with its results.

Kept results are judged and shown by today's record. So a change of claims, evidence, tables,
figures or comments leaves them valid, and only what produces the measurements counts:

    of the file with the record   what its fields MEASURED use, and what that uses, by name
    of a package's other modules  all of each module that is not in OUTPUT
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import experiments

MEASURED = ("config", "prepare", "parts", "measure", "gather", "results")
OUTPUT = ("claims", "figures", "output", "tables")


def source(name: str) -> str:
    """SHA-256 of the source that measures experiment `name`; empty if it is no file of experiments.

    It is the same for all versions of Python that can read the source.
    """
    found = (_files(Path(folder), name) for folder in experiments.__path__)
    files = next(filter(None, found), None)
    if files is None:
        return ""
    record, *others = files
    parts = [(path.stem, _parsed(path).body) for path in others if path.stem not in OUTPUT]
    text = repr([_plain([*parts, ("", _measuring(_parsed(record)))])])
    return hashlib.sha256(text.encode()).hexdigest()


def _files(folder: Path, name: str) -> list[Path]:
    """The file with the record of an experiment, and then the other files of its package."""
    if (path := folder / f"{name}.py").exists():
        return [path]
    record = folder / name / "__init__.py"
    others = (path for path in sorted((folder / name).rglob("*.py")) if path != record)
    return [record, *others] if record.exists() else []


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _measuring(module: ast.Module) -> list[ast.AST]:
    """What the fields MEASURED of the record use; the whole module if it has no `Experiment`."""
    record = next(filter(_is_record, ast.walk(module)), None)
    if not isinstance(record, ast.Call):
        return [*module.body]
    statements = defaultdict(list)
    for statement in module.body:
        for name in _bound(statement):
            statements[name].append(statement)
    fields = [field for field in record.keywords if field.arg in MEASURED]
    todo, reached = _names(fields), set()
    while todo:
        reached |= (new := {s for name in todo for s in statements.get(name, ())} - reached)
        todo = _names(new)
    return [*(statement for statement in module.body if statement in reached), *fields]


def _is_record(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Experiment"


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    aliases = (node for node in ast.walk(statement) if isinstance(node, ast.alias))
    imported = {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
    return imported | {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


def _plain(value: Any) -> Any:
    """Nodes as tuples, without positions, docstrings, and fields that only some versions have."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value if not _is_docstring(each)]
    if not isinstance(value, ast.AST):
        return value
    fields = [(name, _plain(each)) for name, each in ast.iter_fields(value)]
    return (type(value).__name__, *(field for field in fields if field[1] not in (None, [])))


def _is_docstring(node: Any) -> bool:
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
