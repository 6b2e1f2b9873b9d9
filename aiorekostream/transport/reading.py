"""Read the Service Quotas API, with a separate aiobotocore client that uses botocore's own retries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from aiorekostream.errors import RekostreamError
from aiorekostream.transport._tls_session import TlsSession
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.credentials import CredentialWatch
from aiorekostream.transport.error_mapping import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiobotocore.client import AioBaseClient

__all__ = ["quotas"]

_SERVICE = "service-quotas"
_OPERATION = "ListServiceQuotas"


async def quotas(
    *, region: str | None, endpoint_url: str | None, profile: str | None, session: AioSession | None
) -> tuple[Sequence[Mapping[str, object]], str]:
    """Return Rekognition's entries from all pages, and the Region of the API.

    Raises:
        ServiceError: the API returned an error.
        TransportError: the API was not reached, or no credentials could be fetched at the moment.
        ConfigurationError: no Region or no credentials.
    """
    attempt = Attempt(_OPERATION, idempotent=True)
    failure: Exception
    try:
        if session is None:
            session = await asyncio.to_thread(AioSession, profile=profile)
        await asyncio.to_thread(session.get_component("data_loader").load_service_model, _SERVICE, "service-2")
        opening = session.create_client(_SERVICE, region_name=region, endpoint_url=endpoint_url, config=_config())
        async with opening as client:
            await TlsSession.install(client, attempt.secrets)
            CredentialWatch(attempt.secrets).watch(client)
            attempt.signed = attempt.sent = True
            return await _entries(client), client.meta.region_name
    except RekostreamError:
        raise
    except Exception as error:  # noqa: BLE001 - every exception is translated
        failure = error
    # Outside of the `except` block, so that an exception that must not be shown is no context either.
    raise translated(failure, attempt) from (failure if attempt.secrets.may_be_chained(failure) else None)


def _config() -> AioConfig:
    # Seconds, and attempts: defaults of this package for one read at the start of a program.
    return AioConfig(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
        http_session_cls=TlsSession,
    )


async def _entries(client: AioBaseClient) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    token: dict[str, object] = {}
    while True:
        page = await client.list_service_quotas(ServiceCode="rekognition", **token)
        found += cast("list[Mapping[str, object]]", page.get("Quotas", []))
        following = page.get("NextToken")
        if following is None or following == token.get("NextToken"):
            return found
        token = {"NextToken": following}
