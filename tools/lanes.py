"""Run every session of the noxfile, two at a time; show the failed ones last, then the whole at a glance."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

LANES = 2
LOGS = Path(".nox") / "logs"
NOX = (sys.executable, "-m", "nox", "--no-stop-on-first-error")
VERDICT = re.compile(r"^=* ?(\d+ (?:passed|failed|errors?|skipped|deselected).* in [\d.]+s.*?) ?=*$", re.MULTILINE)


def sessions() -> list[str]:
    """The names of the sessions, in the order of the noxfile: the long ones of the tree come first."""
    listing = subprocess.run([*NOX, "--list", "--json"], capture_output=True, text=True, check=True).stdout
    return [entry["session"] for entry in json.loads(listing)]


class Run:
    """One session: its name, how it went, what it said, and how long it took."""

    def __init__(self, name: str) -> None:
        log = LOGS / f"{name}.log"
        begun = time.monotonic()
        with log.open("wb") as output:
            command = [*NOX, "--session", name]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            )
        self.name = name
        self.good = done.returncode == 0
        self.text = log.read_text(encoding="utf-8", errors="replace")
        self.seconds = time.monotonic() - begun

    def show(self) -> None:
        """All that the session said."""
        print(f"\n{f' {self.name} ':=^120}\n{self.text}", flush=True)

    def line(self) -> str:
        """The session at a glance, with pytest's own verdict where there is one."""
        verdicts = VERDICT.findall(self.text)
        outcome = "good" if self.good else "FAILED"
        return f"{self.name:<20}{outcome:<8}{self.seconds:>6.0f} s   {verdicts[-1] if verdicts else ''}".rstrip()


def main() -> int:
    """Run all sessions, and say how many failed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in sessions():
        waiting.put(name)
    runs: list[Run] = []
    voice = threading.Lock()

    def lane() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            run = Run(name)
            with voice:
                runs.append(run)
                if run.good:
                    run.show()
                else:
                    print(f"\n{run.name} FAILED; its output comes last", flush=True)

    lanes = [threading.Thread(target=lane) for _ in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()

    failed = [run for run in runs if not run.good]
    for run in failed:
        run.show()
    print(f"\n{' all sessions ':=^120}")
    for run in runs:
        print(run.line())
    print(f"{len(runs) - len(failed)} good, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
