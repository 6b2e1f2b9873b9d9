import asyncio
import sys

import aiorekostream as rks


async def main(name: str) -> None:
    now, half_a_minute = rks.ProducerTimestamp.now(), rks.StopSelector(max_duration_in_seconds=30)
    async with rks.Client() as client:
        start = rks.LabelDetectionStart(name=name, start_selector=now, stop_selector=half_a_minute)
        session = await client.start_stream_processor(start)
        print(session.session_id, (await client.wait_until_finished(name)).status)


asyncio.run(main(sys.argv[1]))
