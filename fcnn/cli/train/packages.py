"""The packages of the extra `train`, which `import fcnn` does not need."""

from importlib.util import find_spec

from fcnn.installation import install

PACKAGES = {"orbax": "orbax-checkpoint", "pooch": "pooch", "PIL": "pillow", "rich": "rich"}


def require_packages() -> None:
    """Raise ImportError, with the command that installs them, if packages are missing."""
    missing = [package for name, package in PACKAGES.items() if find_spec(name) is None]
    if missing:
        raise ImportError(f"needs {', '.join(missing)}; run {install('train')}")
