"""`python -m fcnn`, the `fcnn` command."""

import sys

from fcnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
