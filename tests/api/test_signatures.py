"""The public interface is what was last agreed on."""

from __future__ import annotations

from tests.api.signatures import SNAPSHOT, render


def test_the_public_interface_is_that_of_the_snapshot() -> None:
    assert render() == SNAPSHOT.read_text(encoding="utf-8"), "if the change is meant: `make api`, and a CHANGELOG entry"
