"""Run the cases, print the results, and write the page of the documentation on request."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.fleet.cases import CASES, FleetCase
from bench.fleet.contenders import CONTENDERS
from bench.fleet.page import write
from bench.fleet.raw_client import ACCESS_KEY, REGION
from bench.fleet.results import FleetResults, versions
from bench.fleet.runner import FleetRow, ServiceProcess, run_case
from bench.fleet.tables import conclusion, heading, lines, note

__all__ = ["main"]

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": "an-example-and-no-secret",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main(description: str | None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [case.key for case in CASES]
    parser.add_argument("--only", action="append", choices=keys, help="run this case only; may be repeated")
    parser.add_argument(
        "--contender", action="append", choices=CONTENDERS, help="run this contender only; may be repeated"
    )
    parser.add_argument("--smoke", action="store_true", help="a few cameras in each case, to check that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write the page and its plot to this folder")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="read the results from this file instead of measuring"
    )
    parser.add_argument("--with", dest="folder", metavar="FOLDER", help="a folder with further installed contenders")
    options = parser.parse_args()
    if options.folder:
        sys.path.append(options.folder)  # last, so that it replaces nothing
    results = (
        FleetResults.read(options.render)
        if options.render
        else _measure(options.only or keys, options.contender or list(CONTENDERS), small=options.smoke)
    )
    if options.json:
        results.write(options.json)
    if options.docs:
        write(results, options.docs)


def _measure(keys: list[str], contenders: list[str], *, small: bool) -> FleetResults:
    os.environ.update(_ENVIRONMENT)
    found = versions()
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    if not CONTENDERS["capo"].is_installed:
        print("capo-rekognition is not installed and does not take part")
    rows: list[FleetRow] = []
    with ServiceProcess.running(small=small) as service:
        for whole in CASES:
            if whole.key in keys:
                case = whole.small() if small else whole
                rows += _run_and_print(case.among(contenders), service)
    return FleetResults(found, rows)


def _run_and_print(case: FleetCase, service: ServiceProcess) -> list[FleetRow]:
    columns = heading(case)
    small = f" ({case.count} only)" if case.target is None else ""
    print(f"\n{case.key}: {case.title}{small}" + (f"\n  ideal time {case.formula}" if case.formula else ""))
    print(f"  {'':42}" + "".join(f"{column:>20}" for column in columns), flush=True)
    rows: list[FleetRow] = []
    for row in run_case(case, service):
        rows.append(row)
        if case.rounds == 1:
            _print(case, [row])
    if case.rounds > 1:
        _print(case, rows)
    for sentence in (note(case, rows), conclusion(case, rows)):
        if sentence:
            print(f"  {sentence}", flush=True)
    return rows


def _print(case: FleetCase, rows: list[FleetRow]) -> None:
    for name, *figures in lines(case, rows):
        print(f"  {name:42}" + "".join(f"{figure:>20}" for figure in figures), flush=True)
