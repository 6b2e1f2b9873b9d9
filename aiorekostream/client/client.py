"""The client: ten verbs over one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs

from aiorekostream.client import settling
from aiorekostream.client.intent import Intent
from aiorekostream.client.pages import StreamProcessorList
from aiorekostream.client.waiting import Watcher
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StartRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.operations import CREATE, DESCRIBE, LIST_TAGS, START, TAG, UNTAG, UPDATE
from aiorekostream.pipeline import Pipeline
from aiorekostream.resilience.paces import LocalPacing, Pacing
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from aiobotocore.session import AioSession

    from aiorekostream.client.drift import EnsuredProcessor
    from aiorekostream.client.intent import EnsuredRunning
    from aiorekostream.domain.names import StreamProcessorArn
    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.replies import (
        CreatedStreamProcessor,
        StartedSession,
        StreamProcessor,
        StreamProcessorSummary,
    )
    from aiorekostream.domain.tags import Tags
    from aiorekostream.pipeline import CallEvent
    from aiorekostream.transport.port import Transport

__all__ = ["Client"]

_SHARED_PACING: Pacing = LocalPacing()
_UNCHANGED: Pacing = LocalPacing()


class Client:
    """Amazon Rekognition's stream processors in one Region of one account.

    It opens its connections with the first call, or on entering ``async with``, and keeps them until ``aclose``. It may
    be shared by any number of tasks of one event loop. What it does not name is looked up as boto3 does: environment
    variables, profiles, and the credential chain, ``AWS_ENDPOINT_URL_REKOGNITION`` included.

    Every method may raise ``ServiceError``, ``TransportError``, ``MalformedResponseError``, ``DeadlineExceededError``
    and ``ConfigurationError``, beside ``InvalidRequestError``, which it raises before anything is sent.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video.html.
    """

    __slots__ = ("_owns_transport", "_pipeline", "_watcher")

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AioSession | None = None,
        retry: RetryPolicy | None = None,
        pacing: Pacing | None = _SHARED_PACING,
        limits: Limits = DEFAULT_LIMITS,
        timeout: Timeout | None = None,
        max_connections: int = 100,
        transport: Transport | None = None,
    ) -> None:
        """Set a client up; nothing is opened or sent yet.

        Args:
            region: the Region, such as ``us-east-1``.
            endpoint_url: another address than AWS's own, such as the emulator's.
            profile: a profile of the AWS configuration files.
            session: an aiobotocore session to take credentials and settings from.
            retry: how often a call is made; up to 12 attempts with full jitter if not given.
            pacing: lets calls through at the speed of their quotas, together with all other clients of the account, if
                not given; ``None`` sends them at once.
            limits: the account's numbers, where AWS has granted others than its defaults.
            timeout: to connect, to read, and for a whole call.
            max_connections: the most calls that are under way at once.
            transport: what moves the bytes instead of AWS's own transport; then the arguments about it (Region,
                endpoint, profile, session and connections) must be left out.

        Raises:
            InvalidRequestError: an argument breaks its rule.
        """
        _must_suit(retry=retry, pacing=pacing, limits=limits, timeout=timeout)
        timeout = timeout or Timeout()
        owned = transport is None
        if transport is None:
            transport = AwsTransport(
                region=region,
                endpoint_url=endpoint_url,
                profile=profile,
                session=session,
                timeout=timeout,
                max_connections=max_connections,
            )
        elif any(argument is not None for argument in (region, endpoint_url, profile, session)):
            allowed = "given without region, endpoint_url, profile and session, which belong to AWS's own transport"
            raise InvalidRequestError([ValidationIssue(("transport",), transport, allowed)])
        self._owns_transport = owned
        self._pipeline = Pipeline(
            transport=transport,
            retry=retry or RetryPolicy(),
            total_timeout=timeout.total,
            limits=limits,
            pacing=pacing,
        )
        self._watcher = Watcher(self._pipeline)

    async def __aenter__(self) -> Self:
        await self._pipeline.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls after this raise ``ConfigurationError``. A second time does nothing.

        A view from ``with_options``, and a client over a transport of your own, close nothing: their owner does.
        """
        if self._owns_transport:
            await self._pipeline.transport.aclose()

    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        pacing: Pacing | None = _UNCHANGED,
        limits: Limits | None = None,
        total_timeout: float | None = None,
        urgent: bool | None = None,
    ) -> Client:
        """Another view on the same connections; what is not given stays as it is.

        Args:
            retry: how often a call is made.
            pacing: lets calls through; ``None`` sends them at once.
            limits: the account's numbers.
            urgent: whether calls go before those that are not urgent, where both wait for their turn.
            total_timeout: a whole call's time, in seconds.

        Raises:
            InvalidRequestError: an argument breaks its rule.
        """
        _must_suit(retry=retry, pacing=pacing, limits=limits)
        mine = self._pipeline
        view = Client.__new__(Client)
        view._owns_transport = False  # noqa: SLF001 - of this very class
        view._pipeline = attrs.evolve(  # noqa: SLF001 - the same
            mine,
            retry=retry or mine.retry,
            pacing=mine.pacing if pacing is _UNCHANGED else pacing,
            urgent=mine.urgent if urgent is None else urgent,
            limits=limits or mine.limits,
            total_timeout=mine.total_timeout if total_timeout is None else Timeout(total=total_timeout).total,
        )
        # Shared on purpose: whoever waits through whichever view waits for the same looks.
        view._watcher = self._watcher  # noqa: SLF001 - the same
        return view

    @property
    def pipeline(self) -> Pipeline:
        """The way that calls take; for what is built on top of a client."""
        return self._pipeline

    @property
    def region(self) -> str | None:
        """The Region; ``None`` while it is looked up only with the first call."""
        return self._pipeline.transport.region

    def __repr__(self) -> str:
        return f"Client({self._pipeline.transport!r})"

    async def create_stream_processor(self, processor: Processor) -> CreatedStreamProcessor:
        """Create a processor; it is STOPPED then. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

        Args:
            processor: a ``FaceSearchProcessor`` or a ``LabelDetectionProcessor``.

        Raises:
            InvalidRequestError: it is no processor, or the video stream is in another Region than this client.
            ResourceInUseError: the name or one of the streams is taken.
            LimitExceededError: the account has as many processors as it may.
        """
        CREATE.validate_request(processor)
        self._must_be_here(processor)
        return await settling.create(self._pipeline, processor)

    async def start_stream_processor(
        self, request: StartRequest, *, notify: Callable[[CallEvent], None] | None = None
    ) -> StartedSession:
        """Start a processor. Quota: 20 a second.

        The answer comes before the work begins: a bad role, stream or collection shows later, as FAILED.
        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

        A start whose answer was lost is looked for with DescribeStreamProcessor: what was carried out is returned with
        ``reconciled=True`` and without a session id, what was not is made again.

        Args:
            request: a ``FaceSearchStart`` or a ``LabelDetectionStart``.
            notify: told what happens on the way.

        Raises:
            InvalidRequestError: this is no start.
            ResourceInUseError: the processor is neither STOPPED nor FAILED.
            ResourceNotFoundError: there is no such processor.
            UnknownOutcomeError: the answer was lost, and it could not be found out whether it was started.
        """
        START.validate_request(request)
        return await settling.start(self._pipeline, request, notify)

    async def stop_stream_processor(self, name: str, *, notify: Callable[[CallEvent], None] | None = None) -> None:
        """Stop a processor. Quota: 1 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

        Raises:
            InvalidRequestError: this is no name.
            ResourceInUseError: there is nothing to stop.
            ResourceNotFoundError: there is no such processor.
        """
        await settling.stop(self._pipeline, StopRequest(name), notify)

    async def describe_stream_processor(self, name: str) -> StreamProcessor:
        """Ask for all of a processor. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

        Raises:
            InvalidRequestError: this is no name.
            ResourceNotFoundError: there is no such processor.
        """
        return await self._pipeline.call(DESCRIBE, DescribeRequest(name))

    def list_stream_processors(self, *, max_results: int | None = None) -> StreamProcessorList:
        """The processors of the account in this Region, one by one or by ``pages()``. Quota: 5 pages a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

        Args:
            max_results: the most that a page may hold, at least 1; AWS takes 1000 where none is given.

        Raises:
            InvalidRequestError: it is less than 1.
        """
        return StreamProcessorList(self._pipeline, ListRequest(max_results=max_results))

    async def update_stream_processor(self, update: LabelDetectionUpdate) -> None:
        """Change a label detection processor; it is UPDATING for a while. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html.

        Raises:
            InvalidParameterError: it is a face search.
            ResourceInUseError: it is busy.
            ResourceNotFoundError: there is no such processor.
        """
        await self._pipeline.call(UPDATE, update)

    async def delete_stream_processor(self, name: str) -> None:
        """Delete a processor; its name may stay taken for some seconds. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteStreamProcessor.html.

        Raises:
            InvalidRequestError: this is no name.
            ResourceInUseError: it is busy; stop it first.
            ResourceNotFoundError: there is no such processor.
        """
        await settling.delete(self._pipeline, DeleteRequest(name))

    async def tag_resource(self, resource_arn: str | StreamProcessorArn, tags: Mapping[str, str]) -> None:
        """Add tags to a processor, or overwrite them. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.

        Raises:
            InvalidRequestError: the ARN or a tag breaks its rule.
            ResourceNotFoundError: there is no such processor.
            ServiceQuotaExceededError: it would have too many tags.
        """
        await self._pipeline.call(TAG, TagRequest(resource_arn, tags))

    async def untag_resource(self, resource_arn: str | StreamProcessorArn, tag_keys: Iterable[str]) -> None:
        """Take tags away from a processor. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UntagResource.html.

        Raises:
            InvalidRequestError: the ARN or a key breaks its rule.
            ResourceNotFoundError: there is no such processor.
        """
        await self._pipeline.call(UNTAG, UntagRequest(resource_arn, tag_keys))

    async def list_tags_for_resource(self, resource_arn: str | StreamProcessorArn) -> Tags:
        """The tags of a processor, AWS's own among them. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

        Raises:
            InvalidRequestError: the ARN breaks its rule.
            ResourceNotFoundError: there is no such processor.
        """
        return (await self._pipeline.call(LIST_TAGS, ListTagsRequest(resource_arn))).tags

    async def wait_until_running(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds the wait, not a call
    ) -> StreamProcessorSummary:
        """Wait until a face search is RUNNING. A label detection never is: wait until it is finished.

        However many tasks wait for however many names, the calls grow with the pages of the list.
        See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 150 s if not given.

        Raises:
            InvalidRequestError: it is a label detection.
            StreamProcessorFailedError: it has FAILED, or was stopped before it ran.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: it took longer.
        """
        return await self._watcher.until_running(name, timeout=timeout)

    async def wait_until_finished(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds the wait, not a call
    ) -> StreamProcessorSummary:
        """Wait until the session of a label detection has come to its end. A face search runs until it is stopped.

        Called after the start, it also sees the end of a session that is over before the first look.
        See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; the longest session and a minute if not given.

        Raises:
            InvalidRequestError: it is a face search.
            StreamProcessorFailedError: it has FAILED.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: it took longer.
        """
        return await self._watcher.until_finished(name, timeout=timeout)

    async def wait_until_stopped(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds the wait, not a call
    ) -> StreamProcessorSummary:
        """Wait until a processor is STOPPED.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 60 s if not given.

        Raises:
            StreamProcessorFailedError: it has FAILED.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: it took longer.
        """
        return await self._watcher.until_stopped(name, timeout=timeout)

    async def wait_until_deleted(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds the wait, not a call
    ) -> None:
        """Wait until a processor is gone; its name may stay taken for some seconds more.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 60 s if not given.

        Raises:
            WaitTimeoutError: it took longer.
        """
        await self._watcher.until_deleted(name, timeout=timeout)

    async def ensure_running(
        self,
        request: StartRequest,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds each wait, not a call
    ) -> EnsuredRunning:
        """See to it that a processor is at work, whatever its status is now.

        One that stops or is updated is waited for and started; one that is at work is left at it. A face search is
        RUNNING when this comes back, a label detection STARTING.

        Args:
            request: how to start it, if need be.
            timeout: the longest wait for a change of its status, as a ``timedelta`` or in seconds.

        Raises:
            InvalidRequestError: the request is not of the processor's kind.
            StreamProcessorFailedError: it has FAILED after the start.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: a wait took longer.
        """
        return await Intent(self._pipeline, self._watcher).running(request, timeout=timeout)

    async def ensure_stopped(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - it bounds each wait, not a call
    ) -> StreamProcessorSummary:
        """See to it that a processor is not at work; having nothing to stop is a success.

        Args:
            name: the processor.
            timeout: the longest wait for a change of its status, as a ``timedelta`` or in seconds.

        Raises:
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: a wait took longer.
        """
        return await Intent(self._pipeline, self._watcher).stopped(name, timeout=timeout)

    async def ensure_created(self, processor: Processor) -> EnsuredProcessor:
        """Create a processor unless there is one of this name, and report how that one differs.

        Args:
            processor: what there should be.

        Raises:
            InvalidRequestError: it is no processor, or the video stream is in another Region than this client.
            ResourceInUseError: one of the streams is taken by a processor of another name.
        """
        CREATE.validate_request(processor)
        self._must_be_here(processor)
        return await Intent(self._pipeline, self._watcher).created(processor)

    def _must_be_here(self, processor: Processor) -> None:
        # https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html: AWS would accept it,
        # and let it fail at its first start.
        stream, region = processor.kinesis_video_stream_arn, self.region
        if region is not None and stream.region != region:
            allowed = f"a stream in the client's Region, {region}"
            raise InvalidRequestError([ValidationIssue(("kinesis_video_stream_arn",), str(stream), allowed)])


def _must_suit(
    *,
    retry: RetryPolicy | None,
    pacing: Pacing | None,
    limits: Limits | None,
    timeout: Timeout | None = None,
) -> None:
    """ErrorResponse options that are something else, such as a number of seconds: their use would come much later."""
    issues = [
        ValidationIssue((name,), value, f"a {kind.__name__}")
        for name, value, kind in (
            ("retry", retry, RetryPolicy),
            ("limits", limits, Limits),
            ("timeout", timeout, Timeout),
        )
        if value is not None and not isinstance(value, kind)
    ]
    if pacing is not None and not callable(getattr(pacing, "admit", None)):
        issues.append(ValidationIssue(("pacing",), pacing, "a Pacing, or None"))
    if issues:
        raise InvalidRequestError(issues)
