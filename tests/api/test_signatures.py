"""The public API matches the committed snapshot."""

from __future__ import annotations

from tests.api.signatures import SNAPSHOT, render


def test_public_api_matches_the_snapshot() -> None:
    assert render() == SNAPSHOT.read_text(encoding="utf-8"), (
        "if the change is intended, run `make api` and add a CHANGELOG entry"
    )
