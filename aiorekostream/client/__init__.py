"""The client: one method for each operation, and for waiting and intent."""

from aiorekostream.client.client import Client
from aiorekostream.client.drift import Drift, EnsuredProcessor
from aiorekostream.client.intent import EnsuredRunning
from aiorekostream.client.pages import StreamProcessorList

__all__ = ["Client", "Drift", "EnsuredProcessor", "EnsuredRunning", "StreamProcessorList"]
