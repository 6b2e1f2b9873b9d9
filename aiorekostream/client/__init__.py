"""Provide the client: one method for each operation, and for waiting and ensuring."""

from aiorekostream.client.client import Client
from aiorekostream.client.drift import Drift
from aiorekostream.client.ensure import Ensured, EnsuredProcessor, EnsuredRunning
from aiorekostream.client.finished import SessionEvents
from aiorekostream.client.pages import StreamProcessorList

__all__ = ["Client", "Drift", "Ensured", "EnsuredProcessor", "EnsuredRunning", "SessionEvents", "StreamProcessorList"]
