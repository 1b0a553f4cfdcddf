"""The source that measures an experiment, as a hash. A run keeps the hash with its results.

Kept results are judged and shown by today's record. So a change of claims, evidence, tables,
figures or comments leaves them valid, and only what produces the measurements counts:

    of the file with the record   what its fields MEASURED use, and what that uses, by name; also
                                  statements that do more than to define names, such as a call
    of a package's other modules  all of each module, but those that only other fields import
    of experiments/framework      all of each module of TRAINING that one of these imports

An import counts also through other modules. A module that no field imports counts: it may be found
by its path.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import experiments

MEASURED = ("config", "prepare", "parts", "measure", "gather", "results")
TRAINING = (
    "bounds",
    "chosen",
    "curves",
    "features",
    "files_of_data",
    "forecasts",
    "images",
    "seeds",
    "sized",
    "splits",
    "starting",
    "step_times",
    "trained",
    "tuned",
)
FRAMEWORK = Path(__file__).parent


def source(name: str) -> str:
    """SHA-256 of the source that measures experiment `name`; empty if it is no file of experiments.

    It is the same for all versions of Python that can read the source.
    """
    records = (Path(f) / each for f in experiments.__path__ for each in _places(name))
    path = next(filter(Path.exists, records), None)
    if path is None:
        return ""
    record, own = _parsed(path), _modules(name, path)
    shared = {f"experiments.framework.{m}": _parsed(FRAMEWORK / f"{m}.py") for m in TRAINING}
    measuring = _measuring(record)
    measured = _followed(measuring, own)
    counted = own.keys() - (_followed([record], own) - measured)
    counted |= _followed([*measuring, *(own[each] for each in counted)], shared)
    parts = [(each, (own | shared)[each].body) for each in sorted(counted)]
    text = repr([_plain([*parts, ("", measuring)])])
    return hashlib.sha256(text.encode()).hexdigest()


def _places(name: str) -> tuple[str, str]:
    """Where the file with the record of an experiment may be."""
    return f"{name}.py", f"{name}/__init__.py"


def _modules(name: str, record: Path) -> dict[str, ast.Module]:
    """The other modules of an experiment's package, by full name."""
    folder = record.parent
    if record.name != "__init__.py":
        return {}
    full = lambda path: ".".join(
        ("experiments", name, *path.relative_to(folder).with_suffix("").parts)
    )
    paths = (path for path in folder.rglob("*.py") if path != record)
    return {full(path).removesuffix(".__init__"): _parsed(path) for path in paths}


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _followed(nodes: Iterable[ast.AST], modules: Mapping[str, ast.Module]) -> set[str]:
    """The names of those modules that the nodes import, also through other ones of them."""
    found, todo = set(), {*_imported(nodes)}
    while new := (todo & modules.keys()) - found:
        found |= new
        todo = {*_imported(modules[each] for each in new)}
    return found


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Full names of what nodes import: modules, and names in them that may be modules."""
    for node in (inner for each in nodes for inner in ast.walk(each)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _measuring(module: ast.Module) -> list[ast.AST]:
    """What the fields MEASURED of the record use, and statements with effects, by name.

    It is the whole module if there is not one `Experiment` in it whose fields are all named.
    """
    records = [node for node in ast.walk(module) if _is_record(node)]
    if len(records) != 1 or records[0].args or any(f.arg is None for f in records[0].keywords):
        return [*module.body]
    statements = defaultdict(list)
    for statement in module.body:
        for name in _bound(statement):
            statements[name].append(statement)
    fields = [field for field in records[0].keywords if field.arg in MEASURED]
    reached = {each for each in module.body if _has_effects(each)}
    todo = _names([*fields, *reached])
    while todo:
        reached |= (new := {s for name in todo for s in statements.get(name, ())} - reached)
        todo = _names(new)
    return [*(statement for statement in module.body if statement in reached), *fields]


def _is_record(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Experiment"


def _has_effects(statement: ast.stmt) -> bool:
    """Whether a statement of a module does more than to define names that it names itself."""
    if isinstance(statement, ast.ImportFrom):
        return any(alias.name == "*" for alias in statement.names)
    if isinstance(statement, ast.Assign):
        return not all(map(_is_name, statement.targets))
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return not _is_name(statement.target)
    known = ast.Import | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass
    return not (isinstance(statement, known) or _is_docstring(statement) or _is_main(statement))


def _is_name(target: ast.expr) -> bool:
    """Whether a target of an assignment is a name, or a tuple of names."""
    inner = target.elts if isinstance(target, ast.Tuple | ast.List) else ()
    return isinstance(target, ast.Name) or (bool(inner) and all(map(_is_name, inner)))


def _is_main(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`, which no import executes."""
    return isinstance(statement, ast.If) and "__name__" in _names([statement.test])


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
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
