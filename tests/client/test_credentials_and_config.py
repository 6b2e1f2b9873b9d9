"""The credentials and the configuration that a client is given as boto3 takes them."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiobotocore.config import AioConfig
from botocore.config import Config

import aiorekostream as rks
from aiorekostream.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

_KEYS = {"AKIDEXAMPLE0000000001": "the-secret-key"}


@pytest.fixture(autouse=True)
def _no_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


async def _list(**options: Any) -> int:  # noqa: ANN401 - whatever a client takes
    async with Emulator(credentials=_KEYS) as emulator, rks.Client(endpoint_url=emulator.url, **options) as client:
        return len([item async for item in client.list_stream_processors()])


def test_client_signs_with_the_keys_that_it_is_given() -> None:
    access_key, secret_key = next(iter(_KEYS.items()))
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    assert asyncio.run(_list(region="us-east-1", **keys)) == 0
    with pytest.raises(rks.ServiceError):
        asyncio.run(_list(region="us-east-1", **{**keys, "aws_secret_access_key": "another"}))


@pytest.mark.parametrize("config", [Config, AioConfig])
def test_client_takes_region_and_pool_from_a_config(config: Callable[..., Config]) -> None:
    access_key, secret_key = next(iter(_KEYS.items()))
    options = config(region_name="eu-west-1", max_pool_connections=3, read_timeout=7)
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    assert asyncio.run(_list(config=options, **keys)) == 0
    assert rks.Client(config=options).region == "eu-west-1"


@pytest.mark.parametrize(
    ("said", "argument"),
    [
        ({"region_name": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"connect_timeout": 3}, {"timeout": rks.Timeout()}),
        ({"read_timeout": 3}, {"timeout": rks.Timeout(total=5)}),
        ({"max_pool_connections": 10}, {"max_connections": 10}),
    ],
)
def test_config_and_an_argument_must_not_say_the_same(said: dict[str, Any], argument: dict[str, Any]) -> None:
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(config=Config(**said), **argument)
    (issue,) = caught.value.issues
    assert issue.path == next(iter(argument))
    assert next(iter(said)) in issue.expected


def test_total_time_and_timeouts_of_a_config_go_together() -> None:
    rks.Client(region="us-east-1", timeout=5, config=Config(connect_timeout=1, read_timeout=2))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (Config(retries={"max_attempts": 5}), "config.retries"),
        (AioConfig(http_session_cls=cast("Any", object)), "config.http_session_cls"),
        ({"region_name": "us-east-1"}, "config"),
        ("us-east-1", "config"),
    ],
)
def test_config_that_cannot_be_used_is_refused(config: Any, path: str) -> None:  # noqa: ANN401 - a wrong type
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(region="us-east-1", config=config)
    assert [issue.path for issue in caught.value.issues] == [path]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"aws_access_key_id": "AKID"}, "aws_secret_access_key"),
        ({"aws_secret_access_key": "hidden"}, "aws_access_key_id"),
        ({"aws_access_key_id": "AKID", "aws_secret_access_key": 5}, "aws_secret_access_key"),
    ],
)
def test_incomplete_or_wrong_keys_are_refused_without_their_values(keys: dict[str, Any], path: str) -> None:
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(region="us-east-1", **keys)
    assert path in [issue.path for issue in caught.value.issues]
    assert "hidden" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # an event loop that is closed leaves its sockets behind
def test_client_reopens_in_the_next_event_loop_when_the_old_one_is_closed() -> None:
    """As a Lambda handler does, which calls ``asyncio.run`` for each event."""
    client: rks.Client | None = None

    async def handle(url: str) -> int:
        nonlocal client
        client = client or rks.Client(
            region="us-east-1", endpoint_url=url, aws_access_key_id="AKID", aws_secret_access_key="secret"
        )
        return len([item async for item in client.list_stream_processors()])

    async def again(url: str) -> None:
        with pytest.raises(rks.ConfigurationError, match="event loop"):
            await asyncio.to_thread(asyncio.run, handle(url))

    async def serve() -> None:
        async with Emulator() as emulator:
            for _ in range(3):
                assert await asyncio.to_thread(asyncio.run, handle(emulator.url)) == 0
            assert await handle(emulator.url) == 0
            await again(emulator.url)
            assert client is not None
            await client.aclose()

    asyncio.run(serve())
    gc.collect()  # the sockets
