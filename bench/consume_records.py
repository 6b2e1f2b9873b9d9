"""Measure the CPU time of ``KinesisConsumer``, and its memory, over face search records of a stream in another process.

    python bench/consume_records.py [--records 100000] [--shards 16] [--smoke]

The server is the emulator. Each record has two faces and 1.9 KB. One task handles and acknowledges them one after the
other; the checkpoints are in memory. Target: at least 8,000 records a second of CPU time, in constant memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the other benchmarks are found from any folder

from aiobotocore.session import get_session

from aiorekostream.emulator import Emulator
from aiorekostream.results import KinesisConsumer
from bench.consume_events import ENVIRONMENT, consume
from bench.decode_events import RECORD

_BATCH = 500  # the most that one request puts
_MAX_HASH_KEY = 2**128


async def _serve(records: int, shards: int) -> None:
    """Run an emulator whose stream has a number of records, spread evenly, and print its URL."""
    async with Emulator(record=False) as emulator:
        create: Any = get_session().create_client
        async with create("kinesis", region_name="us-east-1", endpoint_url=emulator.url) as kinesis:
            await kinesis.create_stream(StreamName="faces", ShardCount=shards)
            await kinesis.get_waiter("stream_exists").wait(StreamName="faces", WaiterConfig={"Delay": 1})
            for first in range(0, records, _BATCH):
                entries = [
                    {
                        "Data": RECORD.encode(),
                        "PartitionKey": str(number),
                        "ExplicitHashKey": str(number % shards * (_MAX_HASH_KEY // shards)),
                    }
                    for number in range(first, min(first + _BATCH, records))
                ]
                while entries:  # a shard takes 1,000 records and 1 MB a second
                    answer = await kinesis.put_records(StreamName="faces", Records=entries)
                    entries = [
                        entry for entry, result in zip(entries, answer["Records"], strict=True) if "ErrorCode" in result
                    ]
        print(emulator.url, flush=True)
        await asyncio.Event().wait()


async def _consume(url: str, records: int) -> None:
    consumer = KinesisConsumer("faces", region="us-east-1", endpoint_url=url, start="oldest")
    rate = await consume(consumer, records)
    print(f"{records} records: {rate:.0f} for each second of the consumer's CPU time")
    print(f"acknowledged: {consumer.report.acknowledged}")


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(int(sys.argv[2]), int(sys.argv[3])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    records, shards = (40, 2) if options.smoke else (options.records, options.shards)
    os.environ.update(ENVIRONMENT)
    command = [sys.executable, __file__, "serve", str(records), str(shards)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            asyncio.run(_consume(cast("IO[str]", server.stdout).readline().strip(), records))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
