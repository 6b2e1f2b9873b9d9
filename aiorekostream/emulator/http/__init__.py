"""The HTTP server of the emulator: connections, dispatch to the APIs on the port, and their wire formats."""
