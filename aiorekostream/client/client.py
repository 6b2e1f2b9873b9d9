"""Provide the client: one method for each of the ten operations, and waits and ensured states on top."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Never, Self, cast

import attrs

from aiorekostream.client import ensure, reconcile
from aiorekostream.client.ensure import Ensured, EnsuredProcessor, EnsuredRunning
from aiorekostream.client.finished import SessionEvents, until_finished
from aiorekostream.client.pages import StreamProcessorList
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.fields import Duration
from aiorekostream.domain.names import StreamProcessorArn
from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import (
    KEEP,
    DeleteRequest,
    DescribeRequest,
    Keep,
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
    StartedSession,
    StreamProcessor,
    StreamProcessorSummary,
)
from aiorekostream.domain.rules import has_method
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import ConfigurationError, InvalidRequestError, ValidationIssue
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.operations import CREATE, DELETE, DESCRIBE, LIST_TAGS, START, STOP, TAG, UNTAG, UPDATE
from aiorekostream.pipeline import Pipeline
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.rate_limiting.port import RateLimiter, RateStatus
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.options import AwsConfig, AwsSession
from aiorekostream.transport.port import Transport
from aiorekostream.transport.timeout import Timeout, timeout_of

__all__ = ["Client"]

_SHARED: RateLimiter = LocalRateLimiter()


class Client:
    """Amazon Rekognition's stream processors in one Region of one account.

    It opens its connections with the first call, or on entering ``async with``, and keeps them until ``aclose``. It may
    be shared by any number of tasks of one event loop. Options that are not given are resolved as in boto3: environment
    variables, profiles, and the credential chain, ``AWS_ENDPOINT_URL_REKOGNITION`` included.

    Every method may raise ``ServiceError``, ``TransportError``, ``MalformedResponseError``, ``DeadlineExceededError``
    and ``ConfigurationError``, beside ``InvalidRequestError``, which it raises before anything is sent.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video.html.
    """

    __slots__ = ("_owns_transport", "_pipeline", "_poller")

    def __init__(
        self,
        *positional: Never,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AwsSession | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        config: AwsConfig | None = None,
        retry: RetryPolicy | None = None,
        rate_limiter: RateLimiter | None = _SHARED,
        limits: Limits | None = None,
        timeout: Timeout | Duration | None = None,
        max_connections: int | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Set up a client; nothing is opened or sent yet.

        Args:
            *positional: none; every option has a name.
            region: the Region, such as ``us-east-1``.
            endpoint_url: the URL to call instead of the Region's own endpoint, such as the emulator's.
            profile: a profile of the AWS configuration files.
            session: an aiobotocore session that provides credentials and settings.
            aws_access_key_id: the access key; with ``aws_secret_access_key``, it goes before all other credentials.
            aws_secret_access_key: the secret key.
            aws_session_token: the session token of temporary credentials.
            config: a ``botocore.config.Config`` or ``aiobotocore.config.AioConfig``, for example with ``proxies``. It
                must not repeat an argument, and retries belong to ``retry``.
            retry: the retries of a call; by default up to 12 attempts with full jitter.
            rate_limiter: grants permits to send; by default at the rate of the quotas, which all clients of the account
                in this process share. ``None`` sends calls at once.
            limits: the limits of the account, where AWS has granted others than its defaults.
            timeout: a ``Timeout``, or the total time of a call as a ``timedelta`` or in seconds; 60 s by default.
            max_connections: the most connections at once, at least 1; 100 by default.
            transport: sends the requests in place of the transport to AWS. Region, endpoint, profile, session, keys,
                config and connections belong to that one, and must not be given beside it.
            clock: the clock of the client, its rate limiter, its waits and its fleets; the event loop's by default. A
                ``ManualClock`` of the emulator gives tests control over time.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        issues = _option_issues(retry=retry, rate_limiter=rate_limiter, limits=limits, timeout=timeout)
        if positional:
            word = f"region={positional[0]!r}" if type(positional[0]) is str else "region='us-east-1'"
            issues.append(ValidationIssue((), positional[0], f"given by name, as in Client({word})"))
        for name, value, method in (("transport", transport, "send"), ("clock", clock, "call_at")):
            if value is not None and not has_method(value, method):
                issues.append(ValidationIssue((name,), value, f"a {name.capitalize()}, or None"))
        aws: dict[str, Any] = {
            "region": region,
            "endpoint_url": endpoint_url,
            "profile": profile,
            "session": session,
            "aws_access_key_id": aws_access_key_id,
            "aws_secret_access_key": aws_secret_access_key,
            "aws_session_token": aws_session_token,
            "config": config,
            "max_connections": max_connections,
        }
        self._owns_transport = transport is None
        if transport is None:
            limit = cast("Timeout", timeout) if issubclass(type(timeout), Timeout) else None
            try:
                transport = AwsTransport(timeout=limit, **aws)
            except InvalidRequestError as error:
                raise InvalidRequestError([*issues, *error.issues]) from error
        else:
            expected = "left out beside transport=: it belongs to the transport to AWS"
            issues += [
                ValidationIssue((name,), "a value", expected) for name, value in aws.items() if value is not None
            ]
        if issues:
            raise InvalidRequestError(issues)
        self._pipeline = Pipeline(
            transport=transport,
            retry=retry or RetryPolicy(),
            total_timeout=timeout_of(timeout).total,
            limits=limits or DEFAULT_LIMITS,
            rate_limiter=rate_limiter,
            clock=SystemClock() if clock is None else clock,
        )
        self._poller = Poller(self._pipeline)

    async def __aenter__(self) -> Self:
        await self._pipeline.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
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
        rate_limiter: RateLimiter | Literal[Keep.KEEP] | None = KEEP,
        limits: Limits | None = None,
        timeout: Timeout | Duration | None = None,
        urgent: bool | None = None,
    ) -> "Client":
        """Return a view of this client with other options and the same connections; options not given stay as they are.

        Args:
            retry: the retries of a call.
            rate_limiter: grants permits to send; ``None`` sends calls at once, and ``KEEP`` changes nothing.
            limits: the limits of the account.
            timeout: the total time of a call, as a ``timedelta``, in seconds, or as that of a ``Timeout``; the times to
                connect and to read belong to the connections.
            urgent: whether calls go before those that are not urgent, where both wait for a permit.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        mine = self._pipeline
        limiter = mine.rate_limiter if rate_limiter is KEEP else rate_limiter
        if issues := _option_issues(retry=retry, rate_limiter=limiter, limits=limits, timeout=timeout):
            raise InvalidRequestError(issues)
        view = Client.__new__(Client)
        view._owns_transport = False  # noqa: SLF001 - of this very class
        view._pipeline = attrs.evolve(  # noqa: SLF001 - the same
            mine,
            retry=retry or mine.retry,
            rate_limiter=limiter,
            urgent=mine.urgent if urgent is None else urgent,
            limits=limits or mine.limits,
            total_timeout=mine.total_timeout if timeout is None else timeout_of(timeout).total,
        )
        # All views share the polls of the waits.
        view._poller = self._poller  # noqa: SLF001 - the same
        return view

    @property
    def pipeline(self) -> Pipeline:
        """The path that every call takes; for code that builds on a client."""
        return self._pipeline

    @property
    def poller(self) -> Poller:
        """The poller that all waits share; for code that builds on a client."""
        return self._poller

    @property
    def region(self) -> str | None:
        """The Region; ``None`` before the first call, where it comes from the AWS configuration."""
        return self._pipeline.transport.region

    def rates(self) -> dict[str, RateStatus]:
        """Return the state of the rate limit of each operation, by AWS's name of the operation.

        Empty for a client that has no rate limiter, or one without a method ``rates``, and for one that is not open:
        quotas belong to an account, which is known once the client is open.

        Raises:
            ConfigurationError: no event loop is running: call it in a coroutine.
        """
        pipeline = self._pipeline
        rates = cast("object", getattr(pipeline.rate_limiter, "rates", None))
        try:
            scope = pipeline.transport.scope
        except ConfigurationError:
            return {}
        if not callable(rates):
            return {}
        return cast("dict[str, RateStatus]", rates(scope, pipeline.limits.quotas, pipeline.clock))

    def __repr__(self) -> str:
        return f"Client({self._pipeline.transport!r})"

    async def create_stream_processor(self, processor: Processor) -> CreatedStreamProcessor:
        """Create a processor; it is STOPPED then. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

        Args:
            processor: a ``FaceSearchProcessor`` or a ``LabelDetectionProcessor``.

        Raises:
            InvalidRequestError: the argument is no processor, or its video stream is in another Region than the client.
            ResourceInUseError: the name or one of the streams is taken.
            LimitExceededError: the account has as many processors as it may.
            UnknownOutcomeError: the response was lost, and the outcome could not be determined.
        """
        await self._validate(processor)
        return await reconcile.call(self._pipeline, CREATE, processor)

    async def start_stream_processor(self, request: StartRequest) -> StartedSession:
        """Start a processor. Quota: 20 a second.

        The answer comes before the work begins: a bad role, stream or collection shows later, as FAILED.
        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

        A start whose response was lost is reconciled with DescribeStreamProcessor: if it was applied, the session is
        returned with ``reconciled=True`` and without an id; if it was not, it is retried.

        Args:
            request: a ``FaceSearchStart`` or a ``LabelDetectionStart``.

        Raises:
            InvalidRequestError: the request is no start.
            ResourceInUseError: the processor is neither STOPPED nor FAILED.
            ResourceNotFoundError: there is no such processor.
            UnknownOutcomeError: the response was lost, and the outcome could not be determined.
        """
        return await reconcile.call(self._pipeline, START, request)

    async def stop_stream_processor(self, name: str) -> None:
        """Stop a processor. Quota: 1 a second.

        A stop whose response was lost is reconciled with DescribeStreamProcessor, as a start is.
        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

        Args:
            name: the processor.

        Raises:
            InvalidRequestError: the name is invalid.
            ResourceInUseError: there is nothing to stop, or the processor cannot be stopped in its status.
            ResourceNotFoundError: there is no such processor.
            UnknownOutcomeError: the response was lost, and the outcome could not be determined.
        """
        await reconcile.call(self._pipeline, STOP, StopRequest(name))

    async def describe_stream_processor(self, name: str) -> StreamProcessor:
        """Describe a processor: its status, its settings and its streams. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

        Args:
            name: the processor.

        Raises:
            InvalidRequestError: the name is invalid.
            ResourceNotFoundError: there is no such processor.
        """
        return await self._pipeline.call(DESCRIBE, DescribeRequest(name))

    def list_stream_processors(self, *, max_results: int | None = None) -> StreamProcessorList:
        """List the processors of the account in this Region, one by one or by ``pages()``. Quota: 5 pages a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

        Args:
            max_results: the most processors of a page, at least 1; AWS's default is 1000.

        Raises:
            InvalidRequestError: ``max_results`` is less than 1.
        """
        return StreamProcessorList(self._pipeline, ListRequest(max_results=max_results))

    async def update_stream_processor(self, update: LabelDetectionUpdate) -> None:
        """Change a label detection processor; its status is UPDATING for some seconds. Quota: 20 a second.

        An update whose response was lost is not reconciled.
        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html.

        Args:
            update: the name of the processor, and the fields to change.

        Raises:
            InvalidRequestError: the argument is no update.
            InvalidParameterError: the processor is a face search.
            ResourceInUseError: the processor is neither STOPPED nor FAILED.
            ResourceNotFoundError: there is no such processor.
        """
        await self._pipeline.call(UPDATE, update)

    async def delete_stream_processor(self, name: str) -> None:
        """Delete a processor; its name may stay taken for some seconds. Quota: 20 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteStreamProcessor.html.

        Args:
            name: the processor.

        Raises:
            InvalidRequestError: the name is invalid.
            ResourceInUseError: the processor has a session; stop it first.
            ResourceNotFoundError: there is no such processor.
            UnknownOutcomeError: the response was lost, and the outcome could not be determined.
        """
        await reconcile.call(self._pipeline, DELETE, DeleteRequest(name))

    async def tag_resource(self, resource_arn: str | StreamProcessorArn, tags: Mapping[str, str]) -> None:
        """Add tags to a processor, or overwrite them. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.

        Args:
            resource_arn: the ARN of the processor.
            tags: keys of 1 to 128 characters, with values of 0 to 256.

        Raises:
            InvalidRequestError: the ARN or a tag is invalid.
            ResourceNotFoundError: there is no such processor.
            ServiceQuotaExceededError: the processor would have too many tags.
        """
        await self._pipeline.call(TAG, TagRequest(resource_arn, tags))

    async def untag_resource(self, resource_arn: str | StreamProcessorArn, tag_keys: Iterable[str]) -> None:
        """Remove tags from a processor. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UntagResource.html.

        Args:
            resource_arn: the ARN of the processor.
            tag_keys: the keys of the tags.

        Raises:
            InvalidRequestError: the ARN or a key is invalid.
            ResourceNotFoundError: there is no such processor.
        """
        await self._pipeline.call(UNTAG, UntagRequest(resource_arn, tag_keys))

    async def list_tags_for_resource(self, resource_arn: str | StreamProcessorArn) -> Tags:
        """List the tags of a processor, AWS's own among them. Quota: 10 a second.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

        Args:
            resource_arn: the ARN of the processor.

        Raises:
            InvalidRequestError: the ARN is invalid.
            ResourceNotFoundError: there is no such processor.
        """
        return (await self._pipeline.call(LIST_TAGS, ListTagsRequest(resource_arn))).tags

    async def wait_until_running(self, name: str, *, timeout: Duration | None = None) -> StreamProcessorSummary:
        """Wait until a face search is RUNNING. A label detection never is: wait until it is finished.

        However many tasks wait for however many names, the calls grow with the pages of the list.
        See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 150 s if not given.

        Raises:
            InvalidRequestError: the processor is a label detection.
            StreamProcessorFailedError: the processor has FAILED, or was stopped before it ran.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: the wait took longer than ``timeout``.
        """
        return await self._poller.until(WaitCondition.RUNNING, name, timeout=timeout)

    async def wait_until_finished(
        self, name: str | StartedSession, *, events: SessionEvents | None = None, timeout: Duration | None = None
    ) -> StreamProcessorSummary:
        """Wait until the session of a label detection has come to its end. A face search runs until it is stopped.

        Called after the start, it also sees the end of a session that is over before the first poll. With ``events``,
        the wait ends with the notification or the status, whichever is first, and distinguishes a session that has
        finished from one that never started: a processor at rest counts as finished only if it was observed STARTING,
        or if a notification of the session arrived. A notification of an earlier or a later session does not count.
        See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

        Args:
            name: the processor, or the session that a start has returned.
            events: receives the notifications of the session, such as a ``SessionRouter``; only with a session. One
                without an id, whose start was reconciled, is waited for by its status alone.
            timeout: the longest wait, as a ``timedelta`` or in seconds; the longest session and a minute if not given.

        Returns:
            The processor as it was seen last. After a notification, it may have its next session already, and it is
            shown as STOPPED if the service does not show it.

        Raises:
            InvalidRequestError: the processor is a face search, or there are events for a name.
            StreamProcessorFailedError: the processor has FAILED; or, with events, there is no sign that the session
                has begun.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: the wait took longer than ``timeout``.
            RekostreamError: the failure of the consumer of the events.
        """
        return await until_finished(self._poller, name, events=events, timeout=timeout)

    async def wait_until_stopped(self, name: str, *, timeout: Duration | None = None) -> StreamProcessorSummary:
        """Wait until a processor is STOPPED.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 60 s if not given.

        Raises:
            StreamProcessorFailedError: the processor has FAILED.
            ResourceNotFoundError: there is no such processor.
            WaitTimeoutError: the wait took longer than ``timeout``.
        """
        return await self._poller.until(WaitCondition.STOPPED, name, timeout=timeout)

    async def wait_until_deleted(self, name: str, *, timeout: Duration | None = None) -> None:
        """Wait until a processor is gone; its name may stay taken for some seconds more.

        Args:
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds; 60 s if not given.

        Raises:
            WaitTimeoutError: the wait took longer than ``timeout``.
        """
        await self._poller.until(WaitCondition.DELETED, name, timeout=timeout)

    async def ensure_running(self, request: StartRequest, *, timeout: Duration | None = None) -> EnsuredRunning:
        """Start a processor unless it runs.

        A processor that is ending or being updated is waited for, and started then. A session that is under way is left
        alone, with the selectors that it was started with. A face search is RUNNING on return, a label detection
        STARTING. See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

        Args:
            request: the start.
            timeout: the longest wait for a change of the status, a ``timedelta`` or seconds; if not given, 150 until it
                is RUNNING, and 180 for what must end first. Calls have the client's own timeout.

        Raises:
            InvalidRequestError: the request is not of the processor's kind.
            StreamProcessorFailedError: the processor FAILED after the start, or was stopped again.
            ResourceNotFoundError: there is no such processor.
            ResourceInUseError: the processor is at rest, and yet the service refuses to start it.
            UnknownOutcomeError: a response was lost, and the start may have begun a session that is over.
            WaitTimeoutError: a wait took longer, or another client stops the processor again and again.
        """
        return await ensure.running(self._pipeline, self._poller, request, timeout=timeout)

    async def ensure_stopped(self, name: str, *, timeout: Duration | None = None) -> Ensured:
        """Stop a processor unless it is at rest, and wait until it is.

        A face search that may not be stopped while it is STARTING is stopped once it is RUNNING. A session that another
        client begins meanwhile is stopped as well. See
        https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

        Args:
            name: the processor.
            timeout: the longest wait for a change of the status, a ``timedelta`` or seconds; 180 if not given. Calls
                have the client's own timeout.

        Returns:
            The processor, STOPPED or FAILED, and whether this call stopped it.

        Raises:
            ResourceNotFoundError: there is no such processor.
            ResourceInUseError: the processor runs, and yet the service refuses to stop it.
            UnknownOutcomeError: a response was lost, and the outcome could not be determined.
            WaitTimeoutError: a wait took longer, or another client starts the processor again and again.
        """
        return await ensure.stopped(self._pipeline, self._poller, name, timeout=timeout)

    async def ensure_created(self, processor: Processor) -> EnsuredProcessor:
        """Create a processor unless there is one of its name, and report how that one differs.

        An existing processor is not changed; ``update()`` of the report is what ``update_stream_processor`` takes. The
        comparison of tags requires the permission rekognition:ListTagsForResource. See
        https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

        Args:
            processor: the desired processor.

        Raises:
            InvalidRequestError: the argument is no processor, or its video stream is in another Region than the client.
            ResourceInUseError: a stream belongs to a processor of another name, or one of this name is being deleted.
            LimitExceededError: the account has as many processors as it may.
            UnknownOutcomeError: a response was lost, and the outcome could not be determined.
        """
        await self._validate(processor)
        return await ensure.created(self._pipeline, self._poller, processor)

    async def _validate(self, processor: Processor) -> None:
        CREATE.validate_request(processor)
        if self.region is None:
            await self._pipeline.open()  # the AWS configuration says which Region it is
        # https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html: AWS would accept it,
        # and let it fail at its first start.
        stream, region = processor.kinesis_video_stream_arn, self.region
        if region is not None and stream.region != region:
            allowed = f"a stream in the client's Region, {region}"
            raise InvalidRequestError([ValidationIssue(("kinesis_video_stream_arn",), str(stream), allowed)])


def _option_issues(
    *,
    retry: RetryPolicy | None,
    rate_limiter: RateLimiter | None,
    limits: Limits | None,
    timeout: Timeout | Duration | None,
) -> list[ValidationIssue]:
    """Return the issues of options that would fail only much later, when they are used."""
    issues = [
        ValidationIssue((name,), value, f"a {kind.__name__}")
        for name, value, kind in (("retry", retry, RetryPolicy), ("limits", limits, Limits))
        if value is not None and not issubclass(type(value), kind)
    ]
    if rate_limiter is not None and not has_method(rate_limiter, "acquire"):
        issues.append(ValidationIssue(("rate_limiter",), rate_limiter, "a RateLimiter, or None"))
    try:
        timeout_of(timeout)
    except InvalidRequestError as error:
        issues += [issue.under("timeout") for issue in error.issues]
    return issues
