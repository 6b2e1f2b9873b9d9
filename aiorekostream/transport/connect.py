"""Building an aiobotocore client without holding up the event loop.

What takes long (importing aiobotocore, reading botocore's data) happens in a worker thread; what may touch the network
or the session (credentials, the user's hooks) happens on the loop, where it takes a few milliseconds. This module is
itself imported in that thread, because its own imports are the better half of the work.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
from typing import TYPE_CHECKING

import aiobotocore
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.exceptions import NoCredentialsError

from aiorekostream.transport._direct import DirectSession
from aiorekostream.transport._jsonfile import UnhurriedJSONFileLoader
from aiorekostream.transport.connection import Connection
from aiorekostream.transport.error_mapping import configuration_error, unsigned_error

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from botocore.loaders import Loader

    from aiorekostream.transport.options import TransportOptions

__all__ = ["connect"]

_SERVICE = "rekognition"
_OPENING = "opening the client"


def _user_agent() -> str:
    try:
        version = importlib.metadata.version("aiorekostream")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that is not installed
        version = "unknown"
    # The session adds botocore's own.
    return f"aiorekostream/{version} aiobotocore/{aiobotocore.__version__} Python/{platform.python_version()}"


# The search for the version reads directories, which the importing thread may do.
_USER_AGENT = _user_agent()


async def connect(settings: TransportOptions, session: AioSession | None) -> Connection:
    """Build a client and open it.

    Args:
        settings: how to build it.
        session: the caller's session; without one, a session of our own is made.

    Raises:
        ConfigurationError: no Region, no credentials, no such profile, or something else is wrong with the set-up.
        ConnectError: whoever gives the credentials cannot be reached, or is too busy, for a moment.
    """
    config = AioConfig(
        connect_timeout=settings.timeout.connect,
        read_timeout=settings.timeout.read,
        max_pool_connections=settings.max_connections,
        http_session_cls=DirectSession,
        parameter_validation=False,  # the values are valid, or they would not exist
        # One request for each call, whatever AWS_MAX_ATTEMPTS and the config file say; `max_attempts` would not do.
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent=_USER_AGENT,  # else botocore puts one together anew for each request: a fifth of the call
    )
    try:
        if session is None:
            session = await asyncio.to_thread(_new_session, settings.profile)
        # A session makes its parts when they are first asked for, which is no work for two threads at once.
        await asyncio.to_thread(_read_data, session.get_component("data_loader"))
        client = await session.create_client(
            _SERVICE, region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
        ).__aenter__()
    except Exception as error:
        raise unsigned_error(error, _OPENING) from error
    try:
        return Connection(client, await _account(session, client))
    except BaseException:
        await client.close()
        raise


def _new_session(profile: str | None) -> AioSession:
    session = AioSession(profile=profile)
    session.get_component("data_loader").file_loader = UnhurriedJSONFileLoader()
    return session


def _read_data(loader: Loader) -> None:
    """Read what building a client will ask for; the loader keeps it."""
    loader.load_data_with_path("endpoints")
    for name in ("partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(_SERVICE, kind)


async def _account(session: AioSession, client: AioBaseClient) -> str:
    """What stands for the account of the calls: its number where the credentials tell it, else the access key.

    It is empty where calls are not signed. A client keeps the credentials that were found when it was built: one that
    was built without never has any.
    """
    if client.meta.config.signature_version is UNSIGNED:
        return ""
    try:
        found = await session.get_credentials()
        # Those that are renewed on their way (of a role, of SSO, of a container) show nothing before they are frozen.
        now = None if found is None else await found.get_frozen_credentials()
    except Exception as error:
        raise unsigned_error(error, _OPENING) from error
    if now is None:
        raise configuration_error(NoCredentialsError())
    return now.account_id or now.access_key
