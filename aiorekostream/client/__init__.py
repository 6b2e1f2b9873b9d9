"""The client: one method for each operation."""

from aiorekostream.client.client import Client
from aiorekostream.client.pages import StreamProcessorList

__all__ = ["Client", "StreamProcessorList"]
