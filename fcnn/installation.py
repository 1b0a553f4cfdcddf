"""Where fcnn was installed from, and so how to add the packages of an extra."""

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]


def install(extra: str) -> str:
    """The command that installs the packages of `extra`, from wherever fcnn itself came.

    That is the clone that is imported, or the folder, repository or archive that was installed.
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
