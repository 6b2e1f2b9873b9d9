"""Test programs without AWS and without HTTP: a transport that answers from a function.

For a whole service behind HTTP, see ``aiorekostream.emulator``.
"""

from aiorekostream.testing.memory_transport import MemoryTransport
from aiorekostream.transport.port import Reply, Transport

__all__ = ["MemoryTransport", "Reply", "Transport"]
