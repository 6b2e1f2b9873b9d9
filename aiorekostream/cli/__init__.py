"""Provide the command ``aiorekostream``: a demonstration, and the emulator for programs in any language.

Running the command requires the extra ``cli``; importing this package does not.
"""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command. The entry point of the console script."""
    # Everything that the imports create lives until the process ends. Collections that look through it find nothing
    # and take a tenth of the time of ``--help``: it is exempted from them, here and before a command runs.
    gc.disable()
    try:
        from aiorekostream.cli.app import app  # noqa: PLC0415 - the extra may be missing

        app()
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich"}:
            raise
        sys.exit("the command requires the extra `cli`: pip install 'aiorekostream[cli]'")
    except KeyboardInterrupt:  # The import takes long enough for Ctrl-C.
        sys.exit(130)
    finally:
        gc.freeze()
        gc.enable()
