"""The installation of fcnn: its version, its cache, and how to add the packages of an extra."""

import json
import os
import shlex
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]


def version() -> str:
    """The version of the clone that is imported, or of the installed package."""
    if (project := ROOT / "pyproject.toml").is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return distribution("fcnn").version


def install(extra: str) -> str:
    """The command that installs the packages of `extra`, from the source of this installation.

    The source is the imported clone, or the folder, repository or archive that was installed.
    """
    if (ROOT / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{ROOT}[{extra}]')}"
    return f"pip install {shlex.quote(f'fcnn[{extra}]{_source()}')}"


def cache_folder() -> Path:
    """The user's folder for files that fcnn can make or fetch again.

    Raises: RuntimeError if there is no home folder.
    Source: XDG Base Directory Specification, which ignores relative paths.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "fcnn"


def _source() -> str:
    """ " @ URL" if fcnn was installed from a URL, else ""; Source: PEP 610."""
    try:
        recorded = distribution("fcnn").read_text("direct_url.json")
    except PackageNotFoundError:
        return ""
    if recorded is None:
        return ""
    source = json.loads(recorded)
    vcs = source.get("vcs_info")
    return f" @ {vcs['vcs']}+{source['url']}" if vcs else f" @ {source['url']}"
