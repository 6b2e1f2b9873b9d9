"""Define the application: the names of the commands and what they do.

The commands are imported when they are used, and each imports what it needs when it runs: ``--help`` loads no options,
no HTTP server, no client and no renderer of Markdown.
"""

from __future__ import annotations

from cyclopts import App

from aiorekostream import __version__

__all__ = ["app"]

app: App = App(
    name="aiorekostream",
    version=__version__,
    version_format="plaintext",
    help="Amazon Rekognition stream processors: a demonstration, and an emulator to run against.",
    # The default, Markdown, imports its renderer; the texts here have no markup.
    help_format="plaintext",
)
app.command(
    "aiorekostream.cli.commands:demo",
    help="Start an emulator, create and start cameras through the real client, and watch their sessions to the end.",
)
app.command(
    "aiorekostream.cli.commands:emulator",
    help="Run the Rekognition emulator until interrupted.\n\n"
    "To use it from any AWS SDK, set AWS_ENDPOINT_URL_REKOGNITION to the URL that it prints. "
    "The files are in TOML; the documentation has an example of each.",
)
