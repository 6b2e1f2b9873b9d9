"""What every test gets beside what the conftest.py at the root gives to tests and examples alike."""

from __future__ import annotations

import pytest

from aiorekostream.resilience import paces


@pytest.fixture(autouse=True)
def new_quotas() -> None:
    """Forget what the service at some port of this machine allowed in an earlier test."""
    paces._turnstiles.clear()
