"""The command `ascribe`, also as `python -m ascribe`."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """`cli.app.main`; Ctrl-C while that is being loaded stops it as later does."""
    try:
        from ascribe.cli import main as command
    except KeyboardInterrupt:
        print("ascribe: stopped", file=sys.stderr)
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
