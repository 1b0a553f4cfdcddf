"""Source of this installation of fcnn, and the command that adds an extra to it."""

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install(extra: str) -> str:
    """Command that installs the packages of `extra`, from the source of this installation.

    The source is the imported clone, or the installed folder, repository or archive.
    """
    if (ROOT / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{ROOT}[{extra}]')}"
    return f"pip install {shlex.quote(f'fcnn[{extra}]{_source()}')}"


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
