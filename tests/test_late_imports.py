"""Calls that fail when the modules that only failures need cannot be loaded, as with too many open files."""

from __future__ import annotations

import errno
import os
import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.errors import CallError, ConnectError, ConnectionLostError
from aiorekostream.testing import MemoryTransport
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_LATE = ("aiorekostream.client.recovery", "aiorekostream.transport.hints", "tenacity")


class _NoFiles(MetaPathFinder):
    """Cannot open the files of the modules."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        del path, target
        if name not in _LATE:
            return None
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unload the modules, and let none of them be loaded."""
    for name in _LATE:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [_NoFiles(), *sys.meta_path])


def _failed(failure: CallError) -> tuple[BaseException, MemoryTransport]:
    """The error of a start, and the transport on which its attempts failed."""
    transport = MemoryTransport(lambda _operation, _body: failure)
    client = rks.Client(transport=transport)
    with pytest.raises(rks.RekostreamError) as caught:
        run(client.start_stream_processor(rks.FaceSearchStart("lobby")))
    return caught.value, transport


def test_lost_start_is_unknown_when_it_cannot_be_reconciled() -> None:
    lost = ConnectionLostError("reset", operation="StartStreamProcessor", retry_safe=False)
    error, transport = _failed(lost)
    assert isinstance(error, rks.UnknownOutcomeError)
    assert os.strerror(errno.EMFILE) in str(error)
    assert len(transport.calls) == 1


def test_error_of_the_service_has_no_hint_when_none_can_be_loaded() -> None:
    refused = rks.ResourceNotFoundError(
        "no lobby", operation="StartStreamProcessor", code="ResourceNotFoundException", http_status=400, retry_safe=True
    )
    error, _ = _failed(refused)
    assert error is refused
    assert not refused.hint


def test_failed_attempt_is_raised_when_it_cannot_be_retried() -> None:
    cause = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    refused = ConnectError("no connection", operation="StartStreamProcessor", retry_safe=True)
    refused.__cause__ = cause
    error, transport = _failed(refused)
    assert error is refused
    assert error.__cause__ is cause
    assert len(transport.calls) == 1
