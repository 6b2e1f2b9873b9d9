"""Check the arguments that sessions, their routers and their monitors have in common."""

from aiorekostream.client import Client
from aiorekostream.domain.rules import reject
from aiorekostream.results.event_router import EventSource

__all__ = ["checked_client", "checked_source"]


def checked_client(value: Client) -> Client:
    """Return a client; reject anything else."""
    if not hasattr(value, "poller"):
        reject(value, "a Client")
    return value


def checked_source(value: EventSource) -> EventSource:
    """Return a consumer of events; reject anything else."""
    if not hasattr(value, "__aiter__"):
        reject(value, "a consumer of events: an async iterator of Delivery, such as SqsConsumer or KinesisConsumer")
    return value
