"""Create an aiobotocore client without blocking the event loop.

Slow work (importing aiobotocore, reading botocore's data files) runs in a worker thread. Work that uses the network or
the session (credentials, event handlers) runs on the event loop and takes a few milliseconds. Import this module in a
worker thread as well: its imports are more than half of the work.
"""

from __future__ import annotations

import asyncio
import importlib
import platform
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

import aiobotocore
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.exceptions import NoRegionError

from aiorekostream.errors import ConfigurationError, ConnectError
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport._data_files import narrow
from aiorekostream.transport._http_session import HttpSession
from aiorekostream.transport.connection import Connection
from aiorekostream.transport.credentials import CredentialWatch, MetadataWatch, report_statuses
from aiorekostream.transport.secrets import Secrets, without_userinfo_of
from aiorekostream.transport.unsigned_errors import configuration_error, no_credentials, unsigned_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiobotocore.client import AioBaseClient
    from botocore.loaders import Loader
    from botocore.model import OperationModel

    from aiorekostream.transport.options import TransportOptions

__all__ = ["connect"]

_SERVICE = "rekognition"
_OPENING = "opening the client"


# By name: an import statement would break the layers, and the distribution's metadata are slow to read.
_VERSION: str = attrgetter("__version__")(importlib.import_module("aiorekostream"))
# The session appends botocore's user agent.
_USER_AGENT = f"aiorekostream/{_VERSION} aiobotocore/{aiobotocore.__version__} Python/{platform.python_version()}"


async def connect(settings: TransportOptions, session: AioSession | None) -> Connection:
    """Create a client and open it.

    Args:
        settings: the options of the client.
        session: the caller's session; a new session if ``None``.

    Raises:
        ConfigurationError: no Region, no credentials, an unknown profile, or another configuration error.
        ConnectError: the credential provider is unreachable or overloaded at the moment.
    """
    secrets = Secrets()
    failure: Exception
    try:
        return await _connect(settings, session, secrets)
    except (ConfigurationError, ConnectError):
        raise
    except Exception as error:  # noqa: BLE001 - every exception is translated
        failure = error
    # Outside of the `except` block, so that an exception that must not be shown is no context either.
    raise unsigned_error(failure, _OPENING, secrets) from (failure if secrets.may_be_chained(failure) else None)


async def _connect(settings: TransportOptions, session: AioSession | None, secrets: Secrets) -> Connection:
    if settings.endpoint_url is not None:
        _check_endpoint(settings.endpoint_url)
    if session is None:
        session = await asyncio.to_thread(_new_session, settings.profile)
    _check_region(settings, session)
    report_statuses(session)
    # A session creates its components on first use and is not thread-safe, so get the loader here.
    loader = session.get_component("data_loader")
    await asyncio.to_thread(_read_data, loader)
    client = await session.create_client(
        _SERVICE,
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=settings.aws_secret_access_key,
        aws_session_token=settings.aws_session_token,
        config=_config(settings),
    ).__aenter__()
    try:
        _check_endpoint(client.meta.endpoint_url)
        await HttpSession.install(client, secrets)
        watch = CredentialWatch(secrets)
        account = await _account(settings, session, client, watch)
        await asyncio.to_thread(_prepare, client)
        return Connection(client, account, watch=watch, regions=_regions(loader))
    except BaseException:
        await client.close()
        raise


def _check_endpoint(url: str) -> None:
    if "@" in url:
        raise ConfigurationError(
            f"the endpoint {without_userinfo_of(url)} is given with a user name or a password, which AWS does not use:"
            " remove it from endpoint_url=..., AWS_ENDPOINT_URL_REKOGNITION, AWS_ENDPOINT_URL or the profile"
        )


def _check_region(settings: TransportOptions, session: AioSession) -> None:
    region = session.get_config_variable("region") if settings.region is None else settings.region
    if isinstance(region, str) and not region.strip():  # botocore would put it into a host name
        raise configuration_error(NoRegionError())


def _config(settings: TransportOptions) -> AioConfig:
    """Return the caller's configuration with what this package needs."""
    options: dict[str, Any] = {
        # Without one, botocore composes it for each request: a fifth of a call's CPU time.
        "user_agent": _USER_AGENT,
        **settings.config,
        "connect_timeout": settings.timeout.connect,
        "read_timeout": settings.timeout.read,
        "max_pool_connections": settings.max_connections,
        "http_session_cls": HttpSession,
        "parameter_validation": False,  # values of the domain are valid by construction
        # One request for each call. `total_max_attempts` overrides AWS_MAX_ATTEMPTS and the config file;
        # `max_attempts` does not.
        "retries": {"total_max_attempts": 1, "mode": "standard"},
    }
    return AioConfig(**options)


def _new_session(profile: str | None) -> AioSession:
    session = AioSession(profile=profile)
    narrow(session.get_component("data_loader"))
    return session


def _read_data(loader: Loader) -> None:
    """Read the data files that a client needs into the loader's cache."""
    loader.load_data_with_path("endpoints")
    for name in ("partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(_SERVICE, kind)


def _prepare(client: AioBaseClient) -> None:
    """Build what botocore builds on the first call of an operation, and keeps."""
    operation_model = cast("Callable[[str], OperationModel]", attrgetter("_service_model.operation_model")(client))
    for name in OPERATIONS:
        model = operation_model(name)
        for shape in (model.input_shape, model.output_shape):
            if shape is not None:
                _ = shape.members


def _regions(loader: Loader) -> frozenset[str]:
    """Return the Regions that botocore knows, whether or not they offer Rekognition."""
    partitions = cast("Mapping[str, Sequence[Mapping[str, Mapping[str, object]]]]", loader.load_data("partitions"))
    return frozenset(name for partition in partitions["partitions"] for name in partition["regions"])


async def _account(
    settings: TransportOptions, session: AioSession, client: AioBaseClient, credentials: CredentialWatch
) -> str:
    """Return the identity of the account: its id if the credentials contain it, else the access key.

    Empty if calls are not signed.

    Raises:
        ConfigurationError: no credentials, or invalid ones; a client that was created without credentials never gets
            any.
        ConnectError: the metadata service of the instance is overloaded at the moment.
    """
    if client.meta.config.signature_version is UNSIGNED:
        return ""
    # Without credentials the session asks every provider again, after the client did; only now does it know the Region.
    watch = MetadataWatch.of(session)
    access_key, secret_key = settings.aws_access_key_id, settings.aws_secret_access_key
    if access_key is not None and secret_key is not None:
        found: AioCredentials | None = AioCredentials(access_key, secret_key, settings.aws_session_token)
    else:
        found = await session.get_credentials()
    # Refreshable credentials (of a role, SSO or a container) have no account id before they are frozen.
    now = None if found is None else await found.get_frozen_credentials()
    if now is None:
        raise no_credentials(_OPENING, status=watch.status, hint=watch.hint)
    credentials.note(now)
    return now.account_id or now.access_key
