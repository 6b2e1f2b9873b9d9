"""The client: one method for each operation, and for waiting and ensuring."""

from aiorekostream.client.client import Client
from aiorekostream.client.drift import Drift, EnsuredProcessor
from aiorekostream.client.ensure import EnsuredRunning
from aiorekostream.client.pages import StreamProcessorList

__all__ = ["Client", "Drift", "EnsuredProcessor", "EnsuredRunning", "StreamProcessorList"]
