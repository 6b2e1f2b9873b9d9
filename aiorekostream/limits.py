"""Define the limits that AWS sets for an account: rates, concurrency, counts and ranges, each with its source.

Structural rules (the characters of a name, the fields that belong together) are in ``domain``, because AWS does not
change them for an account.
"""

import contextlib
import contextvars
import datetime
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TypeVar, cast, final

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.frozen import FrozenMapping
from aiorekostream.issues import shown

__all__ = ["DEFAULT_LIMITS", "Limits", "Quota", "Scope", "limits_in_force", "using_limits"]


_ValueT = TypeVar("_ValueT")


def _plain(value: _ValueT) -> _ValueT:
    """Return a number or text without its subclass, whose methods may do anything; any other value as it is."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return cast("_ValueT", int.__int__(value))
        if isinstance(value, float):
            return cast("_ValueT", float.__float__(value))
        return cast("_ValueT", str.__str__(value)) if isinstance(value, str) else value
    except Exception:  # noqa: BLE001 - a foreign value may raise anything, even for the question of its class
        return value


def _make_plain(value: attrs.AttrsInstance) -> None:
    """Replace the fields of a new value by plain numbers and text; converters would make the import slower."""
    for field in attrs.fields(type(value)):
        object.__setattr__(value, field.name, _plain(getattr(value, field.name)))


def _duration(value: datetime.timedelta | float) -> int:
    plain = _plain(value)
    seconds = plain.total_seconds() if type(plain) is datetime.timedelta else plain
    if type(seconds) is float and seconds.is_integer():
        return int(seconds)
    return cast("int", seconds)  # Limits reports a value that is not a count


def _is_number(value: object, least: float) -> bool:
    if type(value) not in {int, float}:
        return False
    try:
        number = float(cast("float", value))
    except OverflowError:
        return False
    return math.isfinite(number) and number >= least


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


@final
@attrs.frozen
class Quota:
    """The rate quota of one operation for an account in one Region: the parameters of a token bucket.

    Attributes:
        rate: the sustained rate in calls per second, at least 0.001.
        burst: the capacity of the bucket, in calls that may be made at once after an idle time, at least 1.
        code: the code of the quota in Service Quotas, such as ``L-71793F35``; empty if unknown.

    Raises:
        InvalidRequestError: fields are invalid; all issues at once.
    """

    rate: float
    burst: float
    code: str = ""

    def __attrs_post_init__(self) -> None:
        _make_plain(self)
        issues: list[ValidationIssue] = []
        if not _is_number(self.rate, 0.001):
            issues.append(ValidationIssue(("rate",), self.rate, "a finite number of calls a second, at least 0.001"))
        if not _is_number(self.burst, 1):
            issues.append(ValidationIssue(("burst",), self.burst, "a finite number of calls, at least 1"))
        if type(self.code) is not str:
            issues.append(ValidationIssue(("code",), self.code, "text"))
        if issues:
            raise InvalidRequestError(issues)


@final
@attrs.frozen(kw_only=True)
class Scope:
    """The scope of a set of quotas: calls with equal scopes share their quotas.

    Attributes:
        endpoint: the URL of the endpoint.
        region: the Region.
        account: the id of the account or, where it is not known, the access key.
    """

    endpoint: str
    region: str
    account: str


def _quota(rate: float, code: str) -> Quota:
    # UNCERTAIN: AWS publishes the rate and not the capacity of the bucket. One second of the rate is a safe assumption.
    return Quota(rate, rate, code)


# In calls per second, from https://docs.aws.amazon.com/general/latest/gr/rekognition.html; the codes are those of the
# default quotas in Service Quotas.
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

# The Regions that offer each kind, with the number of concurrent sessions that an account may have (the same page).
_FACE_SEARCH = FrozenMapping(
    dict.fromkeys(("ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2"), 10)
)
_LABEL_DETECTION = FrozenMapping(
    {"ap-south-1": 40, "eu-west-1": 40, "us-east-1": 200, "us-east-2": 40, "us-west-2": 200}
)


def _with_defaults(base: FrozenMapping[_ValueT], given: Mapping[str, _ValueT | None]) -> Mapping[str, _ValueT]:
    """Merge an account's entries into AWS's defaults; ``None`` removes a default."""
    # Limits reports a value that is not a mapping, or that cannot be read as one.
    with contextlib.suppress(Exception):
        if isinstance(given, Mapping) and not isinstance(given, FrozenMapping):
            merged = {**base, **{_plain(key): _plain(value) for key, value in given.items()}}
            return FrozenMapping({key: value for key, value in merged.items() if value is not None})
    return cast("Mapping[str, _ValueT]", given)


def _quotas(given: Mapping[str, Quota | None]) -> Mapping[str, Quota]:
    return _with_defaults(_QUOTAS, given)


def _face_search(given: Mapping[str, int | None]) -> Mapping[str, int]:
    return _with_defaults(_FACE_SEARCH, given)


def _label_detection(given: Mapping[str, int | None]) -> Mapping[str, int]:
    return _with_defaults(_LABEL_DETECTION, given)


@final
@attrs.frozen(kw_only=True)
class Limits:
    """The limits of an account; AWS's defaults unless given.

    A mapping needs only the entries that differ from AWS's defaults. ``None`` as the value of an entry removes that
    limit: calls of the operation are not rate limited, or sessions in the Region are not counted. The defaults are from
    https://docs.aws.amazon.com/general/latest/gr/rekognition.html and the API's own model.

    Attributes:
        quotas: rate quotas, by AWS's name of the operation.
        concurrent_face_search: maximum number of concurrent face searches, by Region; AWS offers none in other Regions.
        concurrent_label_detection: maximum number of concurrent label detection sessions, by Region, likewise.
        max_stream_processors: maximum number of processors in the account and Region (``L-01C8D885``).
        max_duration_in_seconds: maximum duration of a label detection session: whole seconds, as a number or a
            ``timedelta``.
        max_labels: maximum number of labels of a label detection.
        max_regions_of_interest: maximum number of regions of interest of a processor.
        max_polygon_points: maximum number of corners of a polygon.
        max_tags: maximum number of tags of a processor.

    Raises:
        InvalidRequestError: a number is not a whole number of at least 1, or a key of ``quotas`` is not the name of an
            operation; all issues at once.
    """

    quotas: Mapping[str, Quota] = attrs.field(default=_QUOTAS, converter=_quotas)
    concurrent_face_search: Mapping[str, int] = attrs.field(default=_FACE_SEARCH, converter=_face_search)
    concurrent_label_detection: Mapping[str, int] = attrs.field(default=_LABEL_DETECTION, converter=_label_detection)
    max_stream_processors: int = 10_000
    max_duration_in_seconds: int = attrs.field(default=120, converter=_duration)
    max_labels: int = 128
    max_regions_of_interest: int = 10
    max_polygon_points: int = 10
    max_tags: int = 200

    def __attrs_post_init__(self) -> None:
        _make_plain(self)
        if issues := tuple(self._issues()):
            raise InvalidRequestError(issues)

    def _issues(self) -> Iterator[ValidationIssue]:
        for field in attrs.fields(Limits):
            value: object = getattr(self, field.name)
            if field.name == "quotas":
                yield from _table_issues(field.name, value, _is_quota, "a Quota, or None", _QUOTAS)
            elif field.name.startswith("concurrent"):
                yield from _table_issues(field.name, value, _is_count, "a whole number of at least 1, or None")
            elif not _is_count(value):
                yield ValidationIssue((field.name,), value, "a whole number of at least 1")


def _is_quota(value: object) -> bool:
    return type(value) is Quota


def _table_issues(
    field: str,
    table: object,
    is_valid: Callable[[object], bool],
    expected: str,
    known: Mapping[str, object] | None = None,
) -> Iterator[ValidationIssue]:
    if type(table) is not FrozenMapping:
        yield ValidationIssue((field,), table, "a mapping")
        return
    for key, value in cast("FrozenMapping[object]", table).items():
        if known is not None and key not in known:
            yield ValidationIssue(
                (field, shown(key) if type(key) is not str else key), value, f"given for one of {', '.join(known)}"
            )
        elif type(key) is not str:
            yield ValidationIssue((field, shown(key)), value, "given for a Region's name")
        elif not is_valid(value):
            yield ValidationIssue((field, key), value, expected)


DEFAULT_LIMITS = Limits()

_in_force: contextvars.ContextVar[Limits] = contextvars.ContextVar("limits_in_force", default=DEFAULT_LIMITS)


def limits_in_force() -> Limits:
    """Return the limits that new values are validated against in the current context."""
    return _in_force.get()


@contextlib.contextmanager
def using_limits(limits: Limits) -> Generator[Limits]:
    """Validate the values that are created inside this block against ``limits`` instead of AWS's defaults.

    Applies to the current task or thread and to the tasks that it starts (a context variable).

    Args:
        limits: the limits of the account.

    Raises:
        InvalidRequestError: the value is no ``Limits``.
    """
    if not issubclass(type(limits), Limits):
        raise InvalidRequestError([ValidationIssue(("limits",), limits, "a Limits")])
    token = _in_force.set(limits)
    try:
        yield limits
    finally:
        _in_force.reset(token)
