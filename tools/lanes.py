"""Run every session of the noxfile, some in parallel; print the output of failed sessions last, then a summary."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

LANES = max(2, min(4, os.cpu_count() or 1))
LOGS = Path(".nox") / "logs"
NOX = (sys.executable, "-m", "nox", "--no-stop-on-first-error")
SKIPPED = re.compile(r"^nox > Session \S+ skipped", re.MULTILINE)
PYTEST_SUMMARY = re.compile(
    r"^=* ?(\d+ (?:passed|failed|errors?|skipped|deselected).* in [\d.]+s.*?) ?=*$", re.MULTILINE
)


def sessions() -> list[str]:
    """Return the names of the sessions in the order of the noxfile, which puts long sessions first."""
    listing = subprocess.run([*NOX, "--list", "--json"], capture_output=True, text=True, check=True).stdout
    return [entry["session"] for entry in json.loads(listing)]


class Run:
    """Run one session, and keep its result, output and duration."""

    def __init__(self, name: str) -> None:
        log = LOGS / f"{name}.log"
        started_at = time.monotonic()
        with log.open("wb") as output:
            command = [*NOX, "--session", name]
            completed = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            )
        self.name = name
        self.text = log.read_text(encoding="utf-8", errors="replace")
        if completed.returncode != 0:
            self.result = "FAILED"
        else:
            self.result = "skipped" if SKIPPED.search(self.text) else "passed"
        self.seconds = time.monotonic() - started_at

    def show(self) -> None:
        """Print the output of the session."""
        print(f"\n{f' {self.name} ':=^120}\n{self.text}", flush=True)

    def line(self) -> str:
        """Return a line with the result and the duration, and pytest's own summary if there is one."""
        summaries = PYTEST_SUMMARY.findall(self.text)
        return f"{self.name:<20}{self.result:<8}{self.seconds:>6.0f} s   {summaries[-1] if summaries else ''}".rstrip()


def main() -> int:
    """Run all sessions, and return 1 if any failed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    pending: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in sessions():
        pending.put(name)
    runs: list[Run] = []
    output_lock = threading.Lock()

    def lane() -> None:
        while True:
            try:
                name = pending.get_nowait()
            except queue.Empty:
                return
            run = Run(name)
            with output_lock:
                runs.append(run)
                if run.result == "FAILED":
                    print(f"\n{run.name} FAILED; its output is printed last", flush=True)
                else:
                    run.show()

    lanes = [threading.Thread(target=lane) for _ in range(LANES)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()

    failed = [run for run in runs if run.result == "FAILED"]
    skipped = [run for run in runs if run.result == "skipped"]
    for run in failed:
        run.show()
    print(f"\n{' all sessions ':=^120}")
    for run in runs:
        print(run.line())
    print(f"{len(runs) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
