"""Provide the fixtures of the tests; those shared with the examples are in the conftest.py at the root."""

from __future__ import annotations

import pytest

from aiorekostream.rate_limiting import limiter


@pytest.fixture(autouse=True)
def new_quotas() -> None:
    """Forget what the service at some port of this machine allowed in an earlier test."""
    limiter._buckets.clear()
