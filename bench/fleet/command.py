"""The command: plays the cases, prints what came of them, and writes the page if it is asked to."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.fleet.cases import CASES, Case
from bench.fleet.contenders import CONTENDERS
from bench.fleet.page import write
from bench.fleet.results import Results, versions
from bench.fleet.tables import heading, lines, note, verdict
from bench.fleet.turns import Row, Service, play
from bench.fleet.wire import ACCESS_KEY, REGION

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
    """Read the options and do it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [case.key for case in CASES]
    parser.add_argument("--only", action="append", choices=keys, help="this case alone; may be given again")
    parser.add_argument("--contender", action="append", choices=CONTENDERS, help="this one alone; may be given again")
    parser.add_argument("--smoke", action="store_true", help="a few cameras in each case, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write the page and its picture there")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: take the results from there")
    parser.add_argument("--with", dest="folder", metavar="FOLDER", help="where contenders are installed, if elsewhere")
    options = parser.parse_args()
    if options.folder:
        sys.path.append(options.folder)  # last, so that nothing of ours is replaced
    results = (
        Results.read(options.render)
        if options.render
        else _measured(options.only or keys, options.contender or list(CONTENDERS), small=options.smoke)
    )
    if options.json:
        results.write(options.json)
    if options.docs:
        write(results, options.docs)


def _measured(keys: list[str], contenders: list[str], *, small: bool) -> Results:
    os.environ.update(_ENVIRONMENT)
    found = versions()
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    if not CONTENDERS["capo"].is_here:
        print("capo-rekognition is not installed here, and takes no part")
    rows: list[Row] = []
    with Service.running(small=small) as service:
        for whole in CASES:
            if whole.key in keys:
                case = whole.small() if small else whole
                rows += _played(case.among(contenders), service)
    return Results(found, rows)


def _played(case: Case, service: Service) -> list[Row]:
    columns = heading(case)
    small = f" ({case.count} only)" if case.target is None else ""
    print(f"\n{case.key}: {case.title}{small}" + (f"\n  ideal time {case.formula}" if case.formula else ""))
    print(f"  {'':42}" + "".join(f"{column:>20}" for column in columns), flush=True)
    rows: list[Row] = []
    for row in play(case, service):
        rows.append(row)
        if case.rounds == 1:
            _print(case, [row])
    if case.rounds > 1:
        _print(case, rows)
    for said in (note(case, rows), verdict(case, rows)):
        if said:
            print(f"  {said}", flush=True)
    return rows


def _print(case: Case, rows: list[Row]) -> None:
    for name, *figures in lines(case, rows):
        print(f"  {name:42}" + "".join(f"{figure:>20}" for figure in figures), flush=True)
