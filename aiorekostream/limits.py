"""The numbers that AWS owns and may raise: quotas, concurrency, counts and ranges, each with its source.

Structural rules (what a name may look like, which fields belong together) are not here: they cannot be changed.
"""

import contextlib
import contextvars
from collections.abc import Generator, Mapping
from types import MappingProxyType

import attrs

__all__ = ["DEFAULT_LIMITS", "Limits", "Quota", "Scope", "limits_in_force", "using_limits"]


@attrs.frozen
class Quota:
    """How many calls of one operation an account may make in one Region.

    Attributes:
        rate: calls a second that may be made for ever.
        burst: calls that may be made at once after a rest.
        code: the code of the quota in Service Quotas, such as ``L-71793F35``.
    """

    rate: float
    burst: float
    code: str


@attrs.frozen(kw_only=True)
class Scope:
    """What a quota belongs to; equal scopes share their quotas.

    Attributes:
        endpoint: the address that is called.
        region: the Region.
        account: the account's number, or the access key that stands for it.
    """

    endpoint: str
    region: str
    account: str


def _quota(rate: float, code: str) -> Quota:
    # AWS publishes the rate and not the depth of the bucket: one second's worth is the safe reading.
    return Quota(rate, rate, code)


# https://docs.aws.amazon.com/general/latest/gr/rekognition.html, and the Service Quotas default list for the codes.
_QUOTAS: Mapping[str, Quota] = MappingProxyType(
    {
        "CreateStreamProcessor": _quota(20, "L-D6034D02"),
        "DeleteStreamProcessor": _quota(20, "L-66AB9558"),
        "DescribeStreamProcessor": _quota(20, "L-82C6694D"),
        "ListStreamProcessors": _quota(5, "L-CF317234"),
        "ListTagsForResource": _quota(10, "L-711B1E8A"),
        "StartStreamProcessor": _quota(20, "L-71793F35"),
        "StopStreamProcessor": _quota(1, "L-85890340"),
        "TagResource": _quota(10, "L-C141F2F9"),
        "UntagResource": _quota(10, "L-BC04C31B"),
        "UpdateStreamProcessor": _quota(20, "L-0FB781AE"),
    }
)

# The Regions that offer each kind, and how many sessions may be under way at once (the same page).
_FACE_SEARCH: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2"), 10)
)
_LABEL_DETECTION: Mapping[str, int] = MappingProxyType(
    {"ap-south-1": 40, "eu-west-1": 40, "us-east-1": 200, "us-east-2": 40, "us-west-2": 200}
)


@attrs.frozen(kw_only=True)
class Limits:
    """AWS's default numbers; give your account's own where AWS has granted others.

    From https://docs.aws.amazon.com/general/latest/gr/rekognition.html and the API's own model.

    Attributes:
        quotas: calls a second by AWS's name of the operation.
        concurrent_face_search: face searches that may run at once, by Region; a Region not named does not offer them.
        concurrent_label_detection: the same for label detection sessions.
        max_stream_processors: processors that may exist in an account and Region (``L-01C8D885``).
        max_duration_in_seconds: the longest label detection session, in seconds.
        max_labels: entries in a label detection's list of labels.
        max_regions_of_interest: regions on one processor.
        max_polygon_points: corners of one polygon.
        max_tags: tags on one processor.
    """

    quotas: Mapping[str, Quota] = _QUOTAS
    concurrent_face_search: Mapping[str, int] = _FACE_SEARCH
    concurrent_label_detection: Mapping[str, int] = _LABEL_DETECTION
    max_stream_processors: int = 10_000
    max_duration_in_seconds: int = 120
    max_labels: int = 128
    max_regions_of_interest: int = 10
    max_polygon_points: int = 10
    max_tags: int = 200


DEFAULT_LIMITS = Limits()

_in_force: contextvars.ContextVar[Limits] = contextvars.ContextVar("limits_in_force", default=DEFAULT_LIMITS)


def limits_in_force() -> Limits:
    """The limits that values are checked against now."""
    return _in_force.get()


@contextlib.contextmanager
def using_limits(limits: Limits) -> Generator[Limits]:
    """Check the values that are made inside this block against other limits than AWS's defaults.

    It holds for the current task or thread and the tasks that it starts.
    """
    token = _in_force.set(limits)
    try:
        yield limits
    finally:
        _in_force.reset(token)
