"""Create and start, stop, or watch the face searches of a TOML file: `python face_searches.py cameras.toml start`."""

import argparse
import asyncio
import sys
import tomllib
from pathlib import Path

import aiorekostream as rks


def read(path: Path) -> list[rks.FaceSearchProcessor]:
    processors, file = list[rks.FaceSearchProcessor](), tomllib.loads(path.read_text(encoding="utf-8"))
    for name, own in file["cameras"].items():
        try:
            processors.append(rks.FaceSearchProcessor(name=name, **file.get("defaults", {}) | own))
        except rks.InvalidRequestError as error:
            sys.exit(f"{path}: {error}")  # it names the camera
        except TypeError as error:
            sys.exit(f"{path}: {name}: {error}")  # there is no such key
    return processors


async def run(command: str, processors: list[rks.FaceSearchProcessor], client: rks.Client) -> int:
    """Carry out a command, and return how many face searches are not as it should leave them."""
    names = [processor.name for processor in processors]
    async with client, rks.Fleet(client, expires_after=60) as fleet:
        if command == "stop":
            stops = await fleet.ensure_stopped(names)
            print(stops)
            return len(stops) - len(stops.stopped)
        ends = fleet.session_ends()
        for ensured in await asyncio.gather(*map(client.ensure_created, processors)):
            for drift in ensured.drift:
                print(f"{ensured.processor.name}: {drift.field} is {drift.actual}, and should be {drift.desired}")
        starts = await fleet.ensure_running(map(rks.FaceSearchStart, names))
        print(starts)
        if command == "watch":
            async for end in ends:
                if end.name in names:
                    print(f"{end.name} is {end.status}: {end.status_message}", flush=True)
        return len(starts) - len(starts.started) - len(starts.already_running)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("command", choices=["start", "stop", "watch"])
    arguments = parser.parse_args()
    sys.exit(asyncio.run(run(arguments.command, read(arguments.file), rks.Client())) > 0)
