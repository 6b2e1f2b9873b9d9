"""The numbers that AWS owns and may raise: quotas, concurrency, counts and ranges, each with its source.

Structural rules (what a name may look like, which fields belong together) are not here: they cannot be changed.
"""

import contextlib
import contextvars
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TypeVar, cast

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.frozen import FrozenMapping

__all__ = ["DEFAULT_LIMITS", "Limits", "Quota", "Scope", "limits_in_force", "using_limits"]


_ValueT = TypeVar("_ValueT")


def _is_number(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@attrs.frozen
class Quota:
    """How many calls of one operation an account may make in one Region.

    Attributes:
        rate: calls a second that may be made for ever, at least 0.001.
        burst: calls that may be made at once after a rest, at least 1.
        code: the code of the quota in Service Quotas, such as ``L-71793F35``.

    Raises:
        InvalidRequestError: a number is out of its range.
    """

    rate: float
    burst: float
    code: str = ""

    def __attrs_post_init__(self) -> None:
        issues: list[ValidationIssue] = []
        if not _is_number(self.rate, 0.001):
            issues.append(ValidationIssue(("rate",), self.rate, "a finite number of calls a second, at least 0.001"))
        if not _is_number(self.burst, 1):
            issues.append(ValidationIssue(("burst",), self.burst, "a finite number of calls, at least 1"))
        if not isinstance(self.code, str):
            issues.append(ValidationIssue(("code",), self.code, "text"))
        if issues:
            raise InvalidRequestError(issues)


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
_QUOTAS = FrozenMapping(
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
_FACE_SEARCH = FrozenMapping(
    dict.fromkeys(("ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2"), 10)
)
_LABEL_DETECTION = FrozenMapping(
    {"ap-south-1": 40, "eu-west-1": 40, "us-east-1": 200, "us-east-2": 40, "us-west-2": 200}
)


def _over(base: FrozenMapping[_ValueT], given: Mapping[str, _ValueT | None]) -> Mapping[str, _ValueT]:
    """An account's own entries, laid over AWS's; ``None`` takes one away."""
    if isinstance(given, Mapping) and not isinstance(given, FrozenMapping):
        given = FrozenMapping({key: value for key, value in {**base, **given}.items() if value is not None})
    return cast("Mapping[str, _ValueT]", given)  # what is no mapping at all is refused later


def _quotas(given: Mapping[str, Quota | None]) -> Mapping[str, Quota]:
    return _over(_QUOTAS, given)


def _face_search(given: Mapping[str, int | None]) -> Mapping[str, int]:
    return _over(_FACE_SEARCH, given)


def _label_detection(given: Mapping[str, int | None]) -> Mapping[str, int]:
    return _over(_LABEL_DETECTION, given)


@attrs.frozen(kw_only=True)
class Limits:
    """AWS's default numbers; give your account's own where AWS has granted others.

    The mappings need name only what differs: what they do not name is AWS's default, and ``None`` for a name means that
    there is no such limit, so nothing is paced, or counted, by it. From
    https://docs.aws.amazon.com/general/latest/gr/rekognition.html and the API's own model.

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

    Raises:
        InvalidRequestError: a number is not a whole one of at least 1, or an operation is none of the ten; all issues
            at once.
    """

    quotas: Mapping[str, Quota] = attrs.field(default=_QUOTAS, converter=_quotas)
    concurrent_face_search: Mapping[str, int] = attrs.field(default=_FACE_SEARCH, converter=_face_search)
    concurrent_label_detection: Mapping[str, int] = attrs.field(default=_LABEL_DETECTION, converter=_label_detection)
    max_stream_processors: int = 10_000
    max_duration_in_seconds: int = 120
    max_labels: int = 128
    max_regions_of_interest: int = 10
    max_polygon_points: int = 10
    max_tags: int = 200

    def __attrs_post_init__(self) -> None:
        if issues := tuple(self._issues()):
            raise InvalidRequestError(issues)

    def _issues(self) -> Iterator[ValidationIssue]:
        for field in attrs.fields(Limits):
            value: object = getattr(self, field.name)
            if field.name == "quotas":
                yield from _wrong(
                    field.name, value, lambda quota: isinstance(quota, Quota), "a Quota, or None", _QUOTAS
                )
            elif field.name.startswith("concurrent"):
                yield from _wrong(field.name, value, _is_count, "a whole number of at least 1, or None")
            elif not _is_count(value):
                yield ValidationIssue((field.name,), value, "a whole number of at least 1")


def _wrong(
    field: str,
    table: object,
    is_right: Callable[[object], bool],
    allowed: str,
    known: Mapping[str, object] | None = None,
) -> Iterator[ValidationIssue]:
    if not isinstance(table, FrozenMapping):
        yield ValidationIssue((field,), table, "a mapping")
        return
    for key, value in cast("FrozenMapping[object]", table).items():
        if known is not None and key not in known:
            yield ValidationIssue((field, key), value, f"given for one of {', '.join(known)}")
        elif not isinstance(key, str):
            yield ValidationIssue((field, repr(key)), value, "given for a Region's name")
        elif not is_right(value):
            yield ValidationIssue((field, key), value, allowed)


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
