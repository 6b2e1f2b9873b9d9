"""Send an emulator requests that no program sends: broken, unsigned, oversized, and each from another caller.

By hand, against an emulator in a process of its own::

    python -m tests.emulator.garbage PORT 250000
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import TYPE_CHECKING

from tests.emulator.clients import AUTHORIZATION, http

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGET = "RekognitionService."
# Requests in flight on one connection.
_PIPELINED = 50


def garbage(number: int) -> bytes:  # noqa: PLR0911 - one for each kind
    """Return a request that is refused; no two numbers have the same caller or the same names."""
    caller = AUTHORIZATION.replace("AKIAEXAMPLE", f"AKIA{number}")
    region = caller.replace("us-east-1", f"xx-{'abcdefghij'[number % 10]}-{number % 1000}")
    described = {"X-Amz-Target": f"{_TARGET}DescribeStreamProcessor", "Authorization": caller}
    match number % 10:
        case 0:
            return http(headers=described, body=b'{"Name":"%d"}' % number)
        case 1:
            return http(headers=described, body=b'{"Name":"%s"}' % (b"%d" % number * 200))
        case 2:
            return http(headers={"X-Amz-Target": f"{_TARGET}Operation{number}", "Authorization": caller})
        case 3:
            return http(headers={"Authorization": region, "X-Amz-Target": f"{_TARGET}StopStreamProcessor"})
        case 4:
            return http(headers={"Authorization": f"Basic {number}"})
        case 5:
            return http(headers={"Authorization": caller}, body=b'{"%d":[%d]}' % (number, number))
        case 6:
            return http(headers={"Authorization": caller}, body=b"[" * 1000)
        case 7:
            return http(method="PUT", path=f"/{number}?{number}")
        case 8:
            return http(path="/_emulator/calls", headers={"Host": f"host-{number}.example.com"})
        case _:
            start = {"X-Amz-Target": f"{_TARGET}StartStreamProcessor", "Authorization": caller, "X-Own": f"{number}"}
            return http(headers=start, body=b'{"Name":"door-%d","StartSelector":{"Own":%d}}' % (number, number))


async def send_garbage(port: int, count: int, numbers: Iterator[int]) -> None:
    """Send requests, 50 at a time, each time on a new connection, and read the responses."""
    for _ in range(0, count, _PIPELINED):
        sent = [garbage(number) for number in itertools.islice(numbers, _PIPELINED)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(sent))
        for _ in sent:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()
        await writer.wait_closed()


if __name__ == "__main__":
    asyncio.run(send_garbage(int(sys.argv[1]), int(sys.argv[2]), itertools.count()))
