"""Read the Service Quotas API, with a separate aiobotocore client that uses botocore's own retries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from aiorekostream.errors import RekostreamError
from aiorekostream.transport._tls_session import TlsSession
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.error_mapping import translated
from aiorekostream.transport.unsigned_errors import configuration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["quotas"]

_SERVICE = "service-quotas"
_OPERATION = "ListServiceQuotas"


async def quotas(
    *, region: str | None, endpoint_url: str | None, profile: str | None, session: AioSession | None
) -> tuple[Sequence[Mapping[str, object]], str]:
    """Return Rekognition's entries from all pages, and the Region of the API.

    Raises:
        ServiceError: the API returned an error.
        TransportError: the API was not reached.
        ConfigurationError: no Region or no credentials.
    """
    # Seconds, and attempts: defaults of this package for one read at the start of a program.
    config = AioConfig(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
        http_session_cls=TlsSession,
    )
    try:
        if session is None:
            session = await asyncio.to_thread(AioSession, profile=profile)
        await asyncio.to_thread(session.get_component("data_loader").load_service_model, _SERVICE, "service-2")
        opening = session.create_client(_SERVICE, region_name=region, endpoint_url=endpoint_url, config=config)
        client = await opening.__aenter__()
    except Exception as error:
        raise configuration_error(error) from error
    attempt = Attempt(_OPERATION, idempotent=True, signed=True, sent=True)
    found: list[Mapping[str, object]] = []
    token: dict[str, object] = {}
    try:
        await TlsSession.install(client, attempt.secrets)
        while True:
            page = await client.list_service_quotas(ServiceCode="rekognition", **token)
            found += cast("list[Mapping[str, object]]", page.get("Quotas", []))
            following = page.get("NextToken")
            if following is None or following == token.get("NextToken"):
                return found, client.meta.region_name
            token = {"NextToken": following}
    except RekostreamError:
        raise
    except Exception as error:
        raise translated(error, attempt) from error
    finally:
        await client.close()
