"""Iterate over a list of processors, by items or by pages."""

from collections.abc import AsyncIterator

import attrs

from aiorekostream.domain.requests import ListRequest
from aiorekostream.domain.responses import StreamProcessorPage, StreamProcessorSummary
from aiorekostream.errors import MalformedResponseError, ValidationIssue
from aiorekostream.operations import LIST
from aiorekostream.pipeline import Pipeline

__all__ = ["StreamProcessorList"]


@attrs.frozen
class StreamProcessorList:
    """The processors of the account in this Region; iterate over it, or over its ``pages()``.

    Nothing is asked before the iteration begins, and each iteration asks anew.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.
    """

    _pipeline: Pipeline = attrs.field(repr=False)
    _first: ListRequest

    async def __aiter__(self) -> AsyncIterator[StreamProcessorSummary]:
        async for page in self.pages():
            for processor in page.stream_processors:
                yield processor

    async def pages(self) -> AsyncIterator[StreamProcessorPage]:
        """Iterate over the pages, each with one call.

        Raises:
            InvalidPaginationTokenError: the token is wrong or too old.
            MalformedResponseError: a page names itself, or one that was read before, as the next one.
            ServiceError: the service refused for another reason.
        """
        request, seen = self._first, {self._first.next_token}
        while True:
            page = await self._pipeline.call(LIST, request)
            yield page
            if not page.next_token:
                return
            if page.next_token in seen:
                issue = ValidationIssue(("NextToken",), page.next_token, "another token than those of the pages before")
                raise MalformedResponseError([issue], operation=LIST.name, retry_safe=True)
            seen.add(page.next_token)
            request = attrs.evolve(request, next_token=page.next_token)
