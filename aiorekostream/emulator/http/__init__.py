"""Serve the emulator over HTTP: connections, dispatch to the APIs on the port, and their wire formats."""
