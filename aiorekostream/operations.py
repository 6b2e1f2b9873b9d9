"""Define the ten operations as data: name, classes of request and response, and whether a call is idempotent."""

from collections.abc import Mapping
from types import MappingProxyType, NoneType
from typing import Any, Final, Generic, TypeVar

import attrs

from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StartRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.domain.responses import (
    CreatedStreamProcessor,
    ResourceTags,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
)
from aiorekostream.errors import InvalidRequestError, ValidationIssue

__all__ = [
    "CREATE",
    "DELETE",
    "DESCRIBE",
    "LIST",
    "LIST_TAGS",
    "OPERATIONS",
    "START",
    "STOP",
    "TAG",
    "UNTAG",
    "UPDATE",
    "Operation",
]

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


@attrs.frozen
class Operation(Generic[_RequestT, _ResponseT]):
    """One operation of the service.

    Attributes:
        name: AWS's name of the operation, which is also the key of its quota in ``Limits``.
        requests: the classes of its request.
        reply: the class of its response; ``NoneType`` where the response has no members.
        idempotent: whether applying a call twice has the same effect as applying it once.
        parameter: the name of the parameter that a caller gives the request by, for issues.
    """

    name: str
    requests: tuple[type[_RequestT], ...]
    reply: type[_ResponseT]
    idempotent: bool
    parameter: str = "request"

    def validate_request(self, request: object) -> None:
        """Check the type of a request.

        Raises:
            InvalidRequestError: the value is not a request of this operation.
        """
        if not issubclass(type(request), self.requests):  # an object may claim another class
            raise self.invalid_request(request)

    def invalid_request(self, request: object) -> InvalidRequestError:
        """Return the error of a value that is not a request of this operation."""
        names = " or ".join(cls.__name__ for cls in self.requests)
        return InvalidRequestError([ValidationIssue((self.parameter,), request, f"a {names}")])


CREATE: Final[Operation[Processor, CreatedStreamProcessor]] = Operation(
    "CreateStreamProcessor",
    (FaceSearchProcessor, LabelDetectionProcessor),
    CreatedStreamProcessor,
    idempotent=False,
    parameter="processor",
)
START: Final[Operation[StartRequest, StartedSession]] = Operation(
    "StartStreamProcessor", (FaceSearchStart, LabelDetectionStart), StartedSession, idempotent=False
)
STOP: Final = Operation("StopStreamProcessor", (StopRequest,), NoneType, idempotent=False)
DESCRIBE: Final = Operation("DescribeStreamProcessor", (DescribeRequest,), StreamProcessor, idempotent=True)
LIST: Final = Operation("ListStreamProcessors", (ListRequest,), StreamProcessorPage, idempotent=True)
UPDATE: Final = Operation(
    "UpdateStreamProcessor", (LabelDetectionUpdate,), NoneType, idempotent=False, parameter="update"
)
DELETE: Final = Operation("DeleteStreamProcessor", (DeleteRequest,), NoneType, idempotent=False)
TAG: Final = Operation("TagResource", (TagRequest,), NoneType, idempotent=True)
UNTAG: Final = Operation("UntagResource", (UntagRequest,), NoneType, idempotent=True)
LIST_TAGS: Final = Operation("ListTagsForResource", (ListTagsRequest,), ResourceTags, idempotent=True)

OPERATIONS: Final[Mapping[str, Operation[Any, Any]]] = MappingProxyType(
    {
        operation.name: operation
        for operation in (CREATE, START, STOP, DESCRIBE, LIST, UPDATE, DELETE, TAG, UNTAG, LIST_TAGS)
    }
)
"""All operations, by AWS's name."""
