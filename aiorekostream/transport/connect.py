"""Create an aiobotocore client without blocking the event loop.

Slow work (importing aiobotocore, reading botocore's data files) runs in a worker thread. Work that uses the network or
the session (credentials, event handlers) runs on the event loop and takes a few milliseconds. Import this module in a
worker thread as well: its imports are more than half of the work.
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
from aiorekostream.transport._jsonfile import LazyJSONFileLoader
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
    except importlib.metadata.PackageNotFoundError:  # a source tree that is not installed
        version = "unknown"
    # The session appends botocore's user agent.
    return f"aiorekostream/{version} aiobotocore/{aiobotocore.__version__} Python/{platform.python_version()}"


# Computed on import, in a worker thread: the lookup of the version reads directories.
_USER_AGENT = _user_agent()


async def connect(settings: TransportOptions, session: AioSession | None) -> Connection:
    """Create a client and open it.

    Args:
        settings: the options of the client.
        session: the caller's session; a new session if ``None``.

    Raises:
        ConfigurationError: no Region, no credentials, an unknown profile, or another configuration error.
        ConnectError: the credential provider is unreachable or overloaded at the moment.
    """
    config = AioConfig(
        connect_timeout=settings.timeout.connect,
        read_timeout=settings.timeout.read,
        max_pool_connections=settings.max_connections,
        http_session_cls=DirectSession,
        parameter_validation=False,  # values of the domain are valid by construction
        # One request for each call. `total_max_attempts` overrides AWS_MAX_ATTEMPTS and the config file;
        # `max_attempts` does not.
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent=_USER_AGENT,  # otherwise botocore composes one for each request: a fifth of a call's CPU time
    )
    try:
        if session is None:
            session = await asyncio.to_thread(_new_session, settings.profile)
        # A session creates its components on first use and is not thread-safe, so get the loader here.
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
    session.get_component("data_loader").file_loader = LazyJSONFileLoader()
    return session


def _read_data(loader: Loader) -> None:
    """Read the data files that a client needs into the loader's cache."""
    loader.load_data_with_path("endpoints")
    for name in ("partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(_SERVICE, kind)


async def _account(session: AioSession, client: AioBaseClient) -> str:
    """Return the identity of the account: its id if the credentials contain it, else the access key.

    Empty if calls are not signed.

    Raises:
        ConfigurationError: no credentials; a client that was created without credentials never gets any.
        ConnectError: the credential provider is unreachable or overloaded at the moment.
    """
    if client.meta.config.signature_version is UNSIGNED:
        return ""
    try:
        found = await session.get_credentials()
        # Refreshable credentials (of a role, SSO or a container) have no account id before they are frozen.
        now = None if found is None else await found.get_frozen_credentials()
    except Exception as error:
        raise unsigned_error(error, _OPENING) from error
    if now is None:
        raise configuration_error(NoCredentialsError())
    return now.account_id or now.access_key
