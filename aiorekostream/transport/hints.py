"""Recommend an action for an error of the service, from facts that AWS documents. Pure.

Every hint names the page that it is based on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["advise"]

_REGIONS = "https://docs.aws.amazon.com/general/latest/gr/rekognition.html"
_AVAILABILITY = "https://docs.aws.amazon.com/rekognition/latest/dg/rekognition-availability-changes.html"
_IAM = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrekognition.html"
_ERRORS = "https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html"
_COMMON_ERRORS = "https://docs.aws.amazon.com/rekognition/latest/APIReference/CommonErrors.html"
_API = "https://docs.aws.amazon.com/rekognition/latest/APIReference/API_{}.html"

# Codes of the quotas that do not belong to one operation; the others are in limits.py.
_PROCESSORS = "L-01C8D885"
_SESSIONS = {ProcessorKind.FACE_SEARCH: "L-8D9029A2", ProcessorKind.LABEL_DETECTION: "L-0A2A7683"}


@attrs.frozen(eq=False, repr=False)
class _Case:
    """An error, and the call that caused it."""

    message: str
    operation: str
    region: str | None
    kind: ProcessorKind | None
    limits: Limits

    def sessions(self, kind: ProcessorKind) -> Mapping[str, int]:
        if kind is ProcessorKind.FACE_SEARCH:
            return self.limits.concurrent_face_search
        return self.limits.concurrent_label_detection


def advise(
    code: str,
    message: str,
    *,
    operation: str,
    region: str | None,
    body: Mapping[str, object],
    limits: Limits,
) -> str:
    """Return the recommended action for an error; empty if the error itself is sufficient.

    Args:
        code: AWS's error code.
        message: AWS's error message; may be empty.
        operation: AWS's name of the operation.
        region: the Region of the call; ``None`` if it is not known.
        body: the members of the request in AWS's spelling.
        limits: the limits of the account.
    """
    advisor = _ADVISORS.get(code)
    if advisor is None:
        return _not_of_rekognition if code.isdigit() else ""
    return advisor(_Case(message, operation, region, _kind(operation, body), limits))


def _kind(operation: str, body: Mapping[str, object]) -> ProcessorKind | None:
    """Return the kind of the processor of a request; ``None`` if the request does not show it."""
    if operation == "CreateStreamProcessor":
        settings = body.get("Settings")
        if settings and isinstance(settings, dict):
            return ProcessorKind.FACE_SEARCH if "FaceSearch" in settings else ProcessorKind.LABEL_DETECTION
    if operation == "StartStreamProcessor":
        # A label detection cannot be started without selectors, nor a face search with them.
        has_selectors = "StartSelector" in body or "StopSelector" in body
        return ProcessorKind.LABEL_DETECTION if has_selectors else ProcessorKind.FACE_SEARCH
    return ProcessorKind.LABEL_DETECTION if operation == "UpdateStreamProcessor" else None


def _access_denied(case: _Case) -> str:
    if elsewhere := _not_offered_here(case):
        return elsewhere
    if case.message:
        if case.operation == "StopStreamProcessor":
            return f"Stopping has an IAM action of its own, beside that of starting: see {_IAM}"
        return ""
    needs = f"the caller's IAM policy must allow rekognition:{case.operation}"
    if case.operation == "StopStreamProcessor":
        needs += ", an action of its own beside that of starting"
    if case.operation == "CreateStreamProcessor":
        needs += " and iam:PassRole for the processor's role"
    return (
        f"AWS gives no reason; {needs} ({_IAM}). If it does: since 2026-04-30 streaming video is closed to accounts"
        f" that had not used it in the twelve months before ({_AVAILABILITY})"
    )


def _not_offered_here(case: _Case) -> str:
    kinds = tuple(ProcessorKind) if case.kind is None else (case.kind,)
    if case.region is None or any(case.region in case.sessions(kind) for kind in kinds):
        return ""
    offers = "; ".join(f"{kind} is offered in {', '.join(sorted(case.sessions(kind)))}" for kind in kinds)
    return f"Not in {case.region}, where AWS answers this, often without a reason: {offers} ({_REGIONS})"


def _too_fast(case: _Case) -> str:
    quota = case.limits.quotas.get(case.operation)
    if quota is None:
        return ""
    where = "a Region" if case.region is None else case.region
    name = f"quota {quota.code}, which" if quota.code else "a quota that"
    return (
        f"An account may call {case.operation} {quota.rate:g} times a second in {where}, all its programs together:"
        f" {name} AWS can raise ({_REGIONS})"
    )


def _limit(case: _Case) -> str:
    if case.operation == "StartStreamProcessor" and case.kind is not None:
        here = "" if case.region is None else str(case.sessions(case.kind).get(case.region, ""))
        number = f"{here} at once" if here else "a number at once"
        return (
            f"An account may run {number} of {case.kind} in a Region: wait until others have ended, or ask AWS for"
            f" more of quota {_SESSIONS[case.kind]} ({_REGIONS})"
        )
    if case.operation == "CreateStreamProcessor":
        said = re.search(r"limit - (\d+)", case.message)
        number = said[1] if said else f"{case.limits.max_stream_processors:,}"
        return (
            f"An account may have {number} stream processors in a Region, whatever their state: delete some, or ask"
            f" AWS for more of quota {_PROCESSORS} ({_REGIONS})"
        )
    return f"A limit of the account; see {_REGIONS}"


def _service_quota(case: _Case) -> str:
    tags = f"a processor may have {case.limits.max_tags} tags"
    if case.operation == "TagResource":
        return f"Remove some tags first: {tags} ({_API.format('TagResource')})"
    return f"A quota of the account on sizes or counts; {tags} ({_REGIONS})"


_IN_USE = {
    "CreateStreamProcessor": (
        "The name, or the video stream, or a face search's data stream, belongs to another processor: describe or list"
        " to find it. After a deletion it may take some seconds until a name is free"
    ),
    "StartStreamProcessor": (
        "It is neither STOPPED nor FAILED: describe it. If the response to an earlier start was lost, this may be its"
        " session"
    ),
    "StopStreamProcessor": (
        "There may be nothing to stop: describe it. STOPPED and FAILED need no stop, and STOPPING needs time"
    ),
    "UpdateStreamProcessor": "Wait until it is STOPPED",
    "DeleteStreamProcessor": "Stop it first, and wait until it is STOPPED",
}


def _in_use(case: _Case) -> str:
    text = _IN_USE.get(case.operation, "")
    return f"{text} ({_ERRORS})" if text else ""


def _not_found(case: _Case) -> str:
    where = "" if case.region is None else f"; this call went to {case.region}"
    return f"A processor is known in its own account and Region only{where} ({_API.format('ListStreamProcessors')})"


def _invalid(case: _Case) -> str:
    if case.operation == "StartStreamProcessor":
        return (
            "A label detection is started with a start selector and a stop selector, a face search with neither"
            f" ({_API.format(case.operation)})"
        )
    if case.operation == "UpdateStreamProcessor":
        return f"Only a label detection can be updated ({_API.format(case.operation)})"
    return ""


def _always(text: str) -> Callable[[_Case], str]:
    return lambda _: text


_not_of_rekognition = (
    "That is no error of Rekognition's own: something before it answered, such as a proxy or a load balancer"
)
_expired = _always(f"The credentials have run out: get new ones ({_COMMON_ERRORS})")
_unknown_key = _always(
    f"AWS does not know the access key, or not in this partition: check the credentials ({_COMMON_ERRORS})"
)
_clock = _always(f"This machine's clock is wrong by minutes: set it, for example with NTP ({_COMMON_ERRORS})")
_subscription = _always(
    f"The account has no subscription to Rekognition: finish its sign-up, or ask its administrator ({_COMMON_ERRORS})"
)


def _bad_signature(case: _Case) -> str:
    # "Credential should be scoped to a valid region."
    if "region" in case.message.lower():
        named = "" if case.region is None else f" {case.region!r}"
        return (
            f"The endpoint does not know the Region{named}: check its name, such as us-east-1 without the letter of a"
            f" zone, and that the endpoint belongs to it ({_REGIONS})"
        )
    return f"The secret key does not fit the access key, or this machine's clock is wrong by minutes ({_COMMON_ERRORS})"


_ADVISORS: Mapping[str, Callable[[_Case], str]] = {
    "AccessDenied": _access_denied,
    "AccessDeniedException": _access_denied,
    "ExpiredToken": _expired,
    "ExpiredTokenException": _expired,
    "IncompleteSignature": _bad_signature,
    "InvalidClientTokenId": _unknown_key,
    "InvalidPaginationTokenException": _always(
        f"Begin the list again from its first page ({_API.format('ListStreamProcessors')})"
    ),
    "InvalidParameterException": _invalid,
    "InvalidSignatureException": _bad_signature,
    "LimitExceededException": _limit,
    "OptInRequired": _always(f"The account must be signed up, or must opt in to this Region ({_COMMON_ERRORS})"),
    "ProvisionedThroughputExceededException": _too_fast,
    "RequestExpired": _clock,
    "RequestLimitExceeded": _too_fast,
    "RequestTimeTooSkewed": _clock,
    "ResourceInUseException": _in_use,
    "ResourceNotFoundException": _not_found,
    "ServiceQuotaExceededException": _service_quota,
    "SignatureDoesNotMatch": _bad_signature,
    "SubscriptionRequiredException": _subscription,
    "ThrottledException": _too_fast,
    "Throttling": _too_fast,
    "ThrottlingException": _too_fast,
    "TooManyRequestsException": _too_fast,
    "UnknownOperationException": _always(
        f"The server at this address does not know the operation: check the endpoint ({_COMMON_ERRORS})"
    ),
    "UnrecognizedClientException": _unknown_key,
}
