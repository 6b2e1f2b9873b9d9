"""Read the quotas of an account from the Service Quotas API."""

import asyncio
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import cast

import attrs

from aiorekostream.errors import MalformedResponseError, ValidationIssue
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota
from aiorekostream.transport.options import AwsSession

__all__ = ["granted_limits", "read_limits"]

_OPERATION = "ListServiceQuotas"
_PROCESSORS = "L-01C8D885"
_FACE_SEARCHES = "L-8D9029A2"
_LABEL_DETECTIONS = "L-0A2A7683"


async def read_limits(
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    profile: str | None = None,
    session: AwsSession | None = None,
    base: Limits = DEFAULT_LIMITS,
) -> Limits:
    """Read the limits of the account in a Region from the Service Quotas API.

    Requires the permission ``servicequotas:ListServiceQuotas``. See
    https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html.

    Args:
        region: the Region; resolved as in boto3 by default.
        endpoint_url: the endpoint URL of the Service Quotas API; AWS's endpoint by default.
        profile: a profile of the AWS config files.
        session: an aiobotocore session with credentials and settings.
        base: the limits that the API does not return; AWS's defaults by default.

    Raises:
        ServiceError: the API returned an error.
        TransportError: the API was not reached, or no credentials could be fetched at the moment.
        MalformedResponseError: an entry has no code or no value.
        ConfigurationError: no Region or no credentials.
    """
    reading = await asyncio.to_thread(_import_reading)
    found, where = await reading.quotas(region=region, endpoint_url=endpoint_url, profile=profile, session=session)
    return granted_limits(found, region=where, base=base)


def granted_limits(quotas: Iterable[Mapping[str, object]], *, region: str, base: Limits = DEFAULT_LIMITS) -> Limits:
    """Return limits with the values of entries of ListServiceQuotas.

    Args:
        quotas: the entries, each with ``QuotaCode`` and ``Value``.
        region: the Region of the entries.
        base: the limits that have no entry.

    Raises:
        MalformedResponseError: an entry has no code or no value.
    """
    values = dict(_code_and_value(place, quota) for place, quota in enumerate(quotas))
    rates = {operation: _granted(quota, values.get(quota.code)) for operation, quota in base.quotas.items()}
    return attrs.evolve(
        base,
        quotas=rates,
        max_stream_processors=int(values.get(_PROCESSORS, 0)) or base.max_stream_processors,
        concurrent_face_search=_with(base.concurrent_face_search, region, values.get(_FACE_SEARCHES)),
        concurrent_label_detection=_with(base.concurrent_label_detection, region, values.get(_LABEL_DETECTIONS)),
    )


def _code_and_value(place: int, quota: Mapping[str, object]) -> tuple[str, float]:
    code, value = quota.get("QuotaCode"), quota.get("Value")
    issues: list[ValidationIssue] = []
    if not isinstance(code, str):
        issues.append(ValidationIssue(("Quotas", place, "QuotaCode"), code, "text"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        issues.append(ValidationIssue(("Quotas", place, "Value"), value, "a number of at least 0"))
    if issues:
        raise MalformedResponseError(issues, operation=_OPERATION, retry_safe=True)
    return cast("str", code), float(cast("float", value))


def _granted(quota: Quota, rate: float | None) -> Quota:
    # With a rate of 0 no call could ever be made, so the value is not a quota.
    return Quota(rate, max(1.0, rate), quota.code) if rate else quota


def _with(numbers: Mapping[str, int], region: str, number: float | None) -> Mapping[str, int | None]:
    # The API has an entry even for a Region that does not offer the kind.
    if number is None or region not in numbers:
        return numbers
    return {**numbers, region: int(number) or None}


def _import_reading() -> ModuleType:
    from aiorekostream.transport import reading  # noqa: PLC0415 - it imports aiobotocore, hence in a thread

    return reading
