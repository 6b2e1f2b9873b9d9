"""Run the cases: each contender in turn, against a service that has just been set up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import attrs

from bench.fleet.contenders import CONTENDERS, Batch
from bench.fleet.measurement import Measurement, Reported, ReportedOutcome, ServiceCall, measure
from bench.fleet.service import cameras, warm_up_cameras

if TYPE_CHECKING:
    from bench.fleet.cases import FleetCase

__all__ = ["FleetRow", "ServiceProcess", "run_case"]

_SCRIPT = Path(__file__).parents[1] / "performance.py"
# Seconds between the set-up and the first request, so that the service is idle.
_IDLE = 0.5
# Seconds between the starts of a warm-up.
_WARM_UP_INTERVAL = 1.0


@attrs.frozen
class FleetRow:
    """The result of one contender in one case.

    Attributes:
        case: the case, by key.
        contender: the contender, by key.
        measurement: its figures.
        rounds: the seconds of each round, where there were several.
        undisturbed: the seconds without the stray throttle, in a case that has one.
    """

    case: str
    contender: str
    measurement: Measurement
    rounds: Sequence[float] = ()
    undisturbed: float | None = None


class ServiceProcess:
    """The process of the service."""

    def __init__(self, process: subprocess.Popen[str], *, small: bool) -> None:
        self._stdin = cast("IO[str]", process.stdin)
        self._stdout = cast("IO[str]", process.stdout)
        self._small = small

    @classmethod
    @contextlib.contextmanager
    def running(cls, *, small: bool) -> Generator[ServiceProcess]:
        """Run the process for the length of the block."""
        command = [sys.executable, str(_SCRIPT), "serve"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield cls(process, small=small)
            finally:
                process.terminate()

    def open(self, case: FleetCase, *, undisturbed: bool = False) -> str:
        """Set a case up, and return its URL."""
        words = ["open", case.key, *(["small"] if self._small else []), *(["undisturbed"] if undisturbed else [])]
        return cast("str", self._ask(" ".join(words)))

    def close(self) -> list[ServiceCall]:
        """End the case, and return the record."""
        return [ServiceCall.from_record(call) for call in cast("list[Mapping[str, object]]", self._ask("close"))]

    def _ask(self, line: str) -> object:
        self._stdin.write(f"{line}\n")
        self._stdin.flush()
        answer = self._stdout.readline()
        if not answer:
            raise RuntimeError("the process of the service has ended")
        return cast("object", json.loads(answer))


def run_case(case: FleetCase, service: ServiceProcess) -> Generator[FleetRow]:
    """Yield the rows of a case, each as soon as it is measured."""
    installed = [key for key in case.contenders if CONTENDERS[key].is_installed]
    if case.rounds > 1:
        url = service.open(case)
        try:
            rows = asyncio.run(_run_rounds(case, installed, url))
        finally:
            service.close()
        yield from rows
        return
    for key in installed:
        undisturbed = _run(case, key, service, undisturbed=True).seconds if case.stray_throttle else None
        yield FleetRow(case.key, key, _run(case, key, service), undisturbed=undisturbed)


def _run(case: FleetCase, key: str, service: ServiceProcess, *, undisturbed: bool = False) -> Measurement:
    url = service.open(case, undisturbed=undisturbed)
    gc.collect()
    time.sleep(_IDLE)
    began, seconds, reported = asyncio.run(_timed(case, key, url))
    return measure(case.kind, reported, service.close(), began=began, seconds=seconds)


async def _timed(case: FleetCase, key: str, url: str) -> tuple[float, float, list[ReportedOutcome]]:
    names = cameras(case)
    async with CONTENDERS[key].open(case, url) as batch:
        began = time.perf_counter()
        for number, name in enumerate(warm_up_cameras(case)):
            await asyncio.sleep(began + number * _WARM_UP_INTERVAL - time.perf_counter())
            await batch([name])
        return time.time(), *await _clocked(batch, names)


async def _clocked(batch: Batch, names: Sequence[str]) -> tuple[float, list[ReportedOutcome]]:
    began = time.perf_counter()
    reported = await batch(names)
    return time.perf_counter() - began, reported


async def _run_rounds(case: FleetCase, keys: Sequence[str], url: str) -> list[FleetRow]:
    """Let all contenders take turns within each round; the first round warms up and is not counted."""
    names = cameras(case)
    found: dict[str, list[float]] = {key: [] for key in keys}
    not_done = dict.fromkeys(keys, 0)
    async with _all_open(case, keys, url) as batches:
        for number in range(case.rounds + 1):
            for place in range(len(keys)):
                key = keys[(number + place) % len(keys)]  # each round begins with another contender
                gc.collect()
                seconds, reported = await _clocked(batches[key], names)
                not_done[key] += sum(outcome.outcome is not Reported.DONE for outcome in reported)
                if number:
                    found[key].append(seconds)
    return [
        FleetRow(
            case.key,
            key,
            Measurement(seconds=statistics.median(figures), requests=case.count, not_done=not_done[key]),
            [round(figure, 4) for figure in figures],
        )
        for key, figures in found.items()
    ]


@contextlib.asynccontextmanager
async def _all_open(case: FleetCase, keys: Sequence[str], url: str) -> AsyncGenerator[dict[str, Batch]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {key: await stack.enter_async_context(CONTENDERS[key].open(case, url)) for key in keys}
