"""The command `polyvec`. Needs the extra `cli`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 ok, 1 the check failed, 2 usage, 3 unreachable."""
    try:
        from polyvec.cli.app import app
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing not in ("typer", "rich"):
            raise
        sys.stderr.write(
            f"polyvec: error: the command line needs {missing}, which is not installed; "
            "run: pip install 'polyvec[cli]'\n"
        )
        sys.exit(2)
    app()
