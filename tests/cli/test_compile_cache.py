"""The cache of compiled programs: found again, damaged, without permission, too large, off."""

import os
from pathlib import Path

import pytest
from child import started

from fcnn.cli import compile_cache
from fcnn.installation import cache_folder

PROGRAM = """
import sys
from contextlib import nullcontext

import jax
from fcnn.cli import compile_cache

compile_cache.LEAST_SECONDS = 0
compile_cache.use("fcnn check", sys.argv[1])
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name.endswith("cache_hits")))
f = jax.jit(lambda x: jax.numpy.sin(x) @ x.T)
with compile_cache.off() if sys.argv[2:] else nullcontext():
    print(f(jax.numpy.eye(3))[0, 0], sum(hits))
"""


def run(folder, *more):
    names = ("JAX_ENABLE_COMPILATION_CACHE", "JAX_COMPILATION_CACHE_DIR")
    env = {name: value for name, value in os.environ.items() if name not in names}
    with started("-c", PROGRAM, str(folder), *more, env=env) as process:
        out, err = process.communicate()
    number, hits = out.split()
    return float(number), int(hits), err


def programs(folder):
    return sorted(folder.glob("jaxlib-*/*-cache"))


def test_a_second_process_reads_what_the_first_compiled(tmp_path):
    first, hits, err = run(tmp_path)
    assert (hits, err) == (0, "")
    kept = programs(tmp_path)
    assert kept
    second, hits, err = run(tmp_path)
    assert (second, err) == (first, "")
    assert hits > 0
    assert programs(tmp_path) == kept

    for path in kept:
        path.write_bytes(path.read_bytes()[:50])
    third, hits, err = run(tmp_path)
    assert (third, hits) == (first, 0)
    assert err.count("\n") == 1
    assert err.startswith(
        "fcnn check: compiles without a cache: cannot read or write a program in "
    )
    assert str(kept[0].parent) in err


def test_nothing_is_kept_while_the_cache_is_off(tmp_path):
    _, hits, err = run(tmp_path, "off")
    assert (hits, err) == (0, "")
    assert not any("lambda" in path.name for path in programs(tmp_path))


@pytest.mark.parametrize("folder", ["file/inside", "file"])
def test_a_folder_that_cannot_be_made_is_one_line(folder, tmp_path, capsys):
    (tmp_path / "file").touch()
    compile_cache.use("fcnn check", str(tmp_path / folder))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fcnn check: compiles without a cache: {tmp_path / folder}/jaxlib-")
    assert line.endswith("Not a directory")


def test_the_oldest_programs_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_cache, "LIMIT", 25)
    folder = tmp_path / "jaxlib-1"
    folder.mkdir()
    for age, name in enumerate(["new", "older", "oldest"]):
        (folder / name).write_bytes(bytes(10))
        os.utime(folder / name, (1000 - age, 1000 - age))
    compile_cache._shrink(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"new", "older"}


def test_the_default_folder_follows_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/fcnn")
    for ignored in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == Path.home() / ".cache" / "fcnn"

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("JAX_ENABLE_COMPILATION_CACHE", raising=False)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    compile_cache.use("fcnn check", None)
    expected = "fcnn check: compiles without a cache: there is no home folder\n"
    assert capsys.readouterr().err == expected
