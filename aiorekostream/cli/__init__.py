"""Provide the command ``aiorekostream``: a demonstration, and the emulator for programs in any language.

Running the command requires the extra ``cli``; importing this package does not.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command. The entry point of the console script."""
    try:
        from aiorekostream.cli.commands import app  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich"}:
            raise
        sys.exit("the command requires the extra `cli`: pip install 'aiorekostream[cli]'")
    except KeyboardInterrupt:  # The import takes about half a second, long enough for Ctrl-C.
        sys.exit(130)
    app()
