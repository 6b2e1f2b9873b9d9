"""A case played through: every contender has its turn against a service that has just been set up."""

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

from bench.fleet.contenders import CONTENDERS, Crowd
from bench.fleet.service import cameras
from bench.fleet.truth import Answer, Done, Tally, Told, tally

if TYPE_CHECKING:
    from bench.fleet.cases import Case

__all__ = ["Row", "Service", "play"]

_SCRIPT = Path(__file__).parents[1] / "performance.py"
_REST = 0.5


@attrs.frozen
class Row:
    """One contender's result in one case.

    Attributes:
        case: the case, by key.
        contender: who, by key.
        tally: what came of it.
        rounds: the seconds of each round, where there were several.
    """

    case: str
    contender: str
    tally: Tally
    rounds: Sequence[float] = ()


class Service:
    """The service's process."""

    def __init__(self, process: subprocess.Popen[str], *, small: bool) -> None:
        self._stdin = cast("IO[str]", process.stdin)
        self._stdout = cast("IO[str]", process.stdout)
        self._small = " small" if small else ""

    @classmethod
    @contextlib.contextmanager
    def running(cls, *, small: bool) -> Generator[Service]:
        """In a process of its own, for as long as the block lasts."""
        command = [sys.executable, str(_SCRIPT), "serve"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield cls(process, small=small)
            finally:
                process.terminate()

    def open(self, case: Case) -> str:
        """Set a case up; its URL."""
        return cast("str", self._ask(f"open {case.key}{self._small}"))

    def close(self) -> list[Done]:
        """End it; the record."""
        return [Done.read(call) for call in cast("list[Mapping[str, object]]", self._ask("close"))]

    def _ask(self, line: str) -> object:
        self._stdin.write(f"{line}\n")
        self._stdin.flush()
        said = self._stdout.readline()
        if not said:
            raise RuntimeError("the service has ended")
        return cast("object", json.loads(said))


def play(case: Case, service: Service) -> Generator[Row]:
    """The rows of a case, each as soon as it is there."""
    here = [key for key in case.contenders if CONTENDERS[key].is_here]
    if case.rounds > 1:
        url = service.open(case)
        try:
            rows = asyncio.run(_rounds(case, here, url))
        finally:
            service.close()
        yield from rows
        return
    for key in here:
        yield _turn(case, key, service)


def _turn(case: Case, key: str, service: Service) -> Row:
    url = service.open(case)
    gc.collect()
    time.sleep(_REST)
    began, seconds, told = asyncio.run(_timed(case, key, url))
    return Row(case.key, key, tally(case.kind, told, service.close(), began=began, seconds=seconds))


async def _timed(case: Case, key: str, url: str) -> tuple[float, float, list[Told]]:
    names = cameras(case)
    async with CONTENDERS[key].open(case, url) as crowd:
        began = time.time()
        return began, *await _clocked(crowd, names)


async def _clocked(crowd: Crowd, names: Sequence[str]) -> tuple[float, list[Told]]:
    began = time.perf_counter()
    told = await crowd(names)
    return time.perf_counter() - began, told


async def _rounds(case: Case, keys: Sequence[str], url: str) -> list[Row]:
    """All are open at once, and take turns within each round; the first round warms up."""
    names = cameras(case)
    found: dict[str, list[float]] = {key: [] for key in keys}
    lost = dict.fromkeys(keys, 0)
    async with _all_open(case, keys, url) as crowds:
        for number in range(case.rounds + 1):
            for place in range(len(keys)):
                key = keys[(number + place) % len(keys)]  # each round begins with another
                gc.collect()
                seconds, told = await _clocked(crowds[key], names)
                lost[key] += sum(one.answer is not Answer.DONE for one in told)
                if number:
                    found[key].append(seconds)
    return [
        Row(
            case.key,
            key,
            Tally(seconds=statistics.median(figures), requests=case.count, cameras_lost=lost[key]),
            [round(figure, 4) for figure in figures],
        )
        for key, figures in found.items()
    ]


@contextlib.asynccontextmanager
async def _all_open(case: Case, keys: Sequence[str], url: str) -> AsyncGenerator[dict[str, Crowd]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {key: await stack.enter_async_context(CONTENDERS[key].open(case, url)) for key in keys}
