"""The command ``aiorekostream``: a demonstration, and the emulator for programs in any language.

It needs the extra ``cli``; importing this package does not.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; what the console script calls."""
    try:
        from aiorekostream.cli.commands import app  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich"}:
            raise
        sys.exit("the command needs the extra `cli`: pip install 'aiorekostream[cli]'")
    except KeyboardInterrupt:  # importing takes half a second
        sys.exit(130)
    app()
