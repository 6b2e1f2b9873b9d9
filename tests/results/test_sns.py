"""Signatures of SNS: both versions, the hosts of certificates and confirmations, and what must be refused."""

from __future__ import annotations

import asyncio
import datetime
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from aiorekostream.emulator import ManualClock
from aiorekostream.errors import ConnectError, InvalidRequestError, InvalidSignatureError, MalformedEventError
from aiorekostream.results import SnsCertificates, SnsMessage, verify_sns_message
from aiorekostream.results.sns_certificates import fetch_from_sns, is_sns_url
from tests.payloads import DETECTED
from tests.results.signed_messages import (
    CERTIFICATE_URL,
    CONFIRMATION,
    NOTIFICATION,
    SUBSCRIBE_URL,
    TOPIC,
    Web,
    pem_certificate,
    signed,
)


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def certificates(web: Web) -> SnsCertificates:
    return SnsCertificates(fetch=web.fetch)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("message", [NOTIFICATION, CONFIRMATION], ids=lambda message: message["Type"])
async def test_signed_message_is_verified(certificates: SnsCertificates, version: str, message: dict[str, str]) -> None:
    body = signed(message, version)
    for data in (body, json.dumps(body), json.dumps(body).encode()):
        found = await verify_sns_message(data, certificates=certificates, topic_arn=TOPIC)
        assert found == SnsMessage(
            type=message["Type"],
            message_id=message["MessageId"],
            topic_arn=TOPIC,
            message=message["Message"],
            timestamp=datetime.datetime(2022, 4, 15, 5, 22, 3, 999_000, tzinfo=datetime.UTC),
            subject=message.get("Subject"),
            subscribe_url=message.get("SubscribeURL"),
        )


async def test_verified_notification_has_its_event(certificates: SnsCertificates) -> None:
    message = await verify_sns_message(signed(NOTIFICATION), certificates=certificates)
    assert message.is_notification
    assert message.event == DETECTED
    confirmation = await verify_sns_message(signed(CONFIRMATION), certificates=certificates)
    assert not confirmation.is_notification
    with pytest.raises(MalformedEventError, match="Type"):
        _ = confirmation.event


async def test_notification_without_a_subject_is_verified(certificates: SnsCertificates) -> None:
    message = {key: value for key, value in NOTIFICATION.items() if key != "Subject"}
    assert (await verify_sns_message(signed(message), certificates=certificates)).subject is None
    with pytest.raises(InvalidSignatureError, match="does not match"):
        await verify_sns_message(signed(message, Subject="new"), certificates=certificates)


@pytest.mark.parametrize("key", ["Message", "MessageId", "Subject", "TopicArn"])
@pytest.mark.parametrize("version", ["1", "2"])
async def test_changed_message_is_refused(certificates: SnsCertificates, key: str, version: str) -> None:
    body = signed(NOTIFICATION, version)
    body[key] = f"{body[key]} "
    with pytest.raises(InvalidSignatureError, match="does not match"):
        await verify_sns_message(body, certificates=certificates)


async def test_signature_of_the_other_version_is_refused(certificates: SnsCertificates) -> None:
    with pytest.raises(InvalidSignatureError, match="does not match"):
        await verify_sns_message(signed(NOTIFICATION, "1", SignatureVersion="2"), certificates=certificates)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com.example/x.pem",
        "https://example/sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com@example/x.pem",
        "https://user@sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com:8443/x.pem",
        "https://sns.us-east-1.amazonaws.com:x/x.pem",
        "https://evil.s3.us-east-1.amazonaws.com/x.pem",
        "https://sns.evil/us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com/x.crt",
        "https://sns.us-east-1.amazonaws.com/?x.pem",
        "https://sns.us-east-1.amazonaws.com\\@example/x.pem",
        "file:///x.pem",
        "https://[::1/x.pem",
        "",
    ],
)
async def test_certificate_from_elsewhere_is_never_fetched(certificates: SnsCertificates, web: Web, url: str) -> None:
    with pytest.raises(InvalidSignatureError, match="not from a host"):
        await verify_sns_message(signed(NOTIFICATION, SigningCertURL=url), certificates=certificates)
    assert web.fetched == []


@pytest.mark.parametrize("host", ["sns.us-east-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"])
def test_hosts_of_sns_are_recognized(host: str) -> None:
    assert is_sns_url(f"https://{host}/x.pem", suffix=".pem")
    assert is_sns_url(f"https://{host}:443/?Action=ConfirmSubscription")


async def test_certificate_is_fetched_once(certificates: SnsCertificates, web: Web) -> None:
    await asyncio.gather(*(verify_sns_message(signed(NOTIFICATION), certificates=certificates) for _ in range(20)))
    await verify_sns_message(signed(CONFIRMATION), certificates=certificates)
    assert web.fetched == [CERTIFICATE_URL]


async def test_cancelled_verification_does_not_disturb_another(web: Web) -> None:
    arrived, leaves = asyncio.Event(), asyncio.Event()

    async def fetch(url: str) -> bytes:
        arrived.set()
        await leaves.wait()
        return await web.fetch(url)

    certificates = SnsCertificates(fetch=fetch)
    tasks = [asyncio.create_task(verify_sns_message(signed(NOTIFICATION), certificates=certificates)) for _ in range(2)]
    await arrived.wait()
    tasks[0].cancel()
    leaves.set()
    assert (await tasks[1]).is_notification


async def test_oldest_certificate_is_forgotten(web: Web) -> None:
    urls = [f"https://sns.us-east-{number}.amazonaws.com/x.pem" for number in (1, 2, 3)]
    web.pages = dict.fromkeys(urls, pem_certificate())
    certificates = SnsCertificates(fetch=web.fetch, most=2)
    for url in (*urls, urls[2], urls[0]):
        await verify_sns_message(signed(NOTIFICATION, SigningCertURL=url), certificates=certificates)
    assert web.fetched == [*urls, urls[0]]


async def test_failed_fetch_is_not_kept(certificates: SnsCertificates, web: Web) -> None:
    pages, web.pages = web.pages, {}
    with pytest.raises(ConnectError) as caught:
        await verify_sns_message(signed(NOTIFICATION), certificates=certificates)
    assert caught.value.retry_safe
    web.pages = pages
    await verify_sns_message(signed(NOTIFICATION), certificates=certificates)


@pytest.mark.parametrize(
    "page",
    [b"", b"<html>", pem_certificate(ec.generate_private_key(ec.SECP256R1()))],
    ids=["empty", "html", "elliptic"],
)
async def test_page_that_is_no_rsa_certificate_is_refused(certificates: SnsCertificates, web: Web, page: bytes) -> None:
    web.pages[CERTIFICATE_URL] = page
    with pytest.raises(InvalidSignatureError, match="no certificate"):
        await verify_sns_message(signed(NOTIFICATION), certificates=certificates)


@pytest.mark.parametrize(("days", "since"), [(1, -2), (1, 2)], ids=["expired", "not-yet-valid"])
async def test_certificate_that_is_not_valid_now_is_refused(
    certificates: SnsCertificates, web: Web, days: int, since: int
) -> None:
    begin = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=since)
    web.pages[CERTIFICATE_URL] = pem_certificate(begin=begin, days=days)
    with pytest.raises(InvalidSignatureError, match="expired or not valid yet"):
        await verify_sns_message(signed(NOTIFICATION), certificates=certificates)


async def test_kept_certificate_expires(web: Web) -> None:
    clock = ManualClock()
    web.pages[CERTIFICATE_URL] = pem_certificate(begin=clock.wall())
    certificates = SnsCertificates(fetch=web.fetch, clock=clock)
    await verify_sns_message(signed(NOTIFICATION), certificates=certificates)
    clock.advance(400 * 86_400)
    with pytest.raises(InvalidSignatureError, match="expired"):
        await verify_sns_message(signed(NOTIFICATION), certificates=certificates)


# --------------------------------------------------------------------------------------------------------------- topics


async def test_message_of_another_topic_is_refused(certificates: SnsCertificates) -> None:
    """Any customer of AWS can have SNS sign a message."""
    body = signed({**NOTIFICATION, "TopicArn": "arn:aws:sns:us-east-1:999999999999:evil"})
    await verify_sns_message(body, certificates=certificates)
    for topics in (TOPIC, [TOPIC], []):
        with pytest.raises(InvalidSignatureError, match="another topic"):
            await verify_sns_message(body, certificates=certificates, topic_arn=topics)
    message = await verify_sns_message(signed(NOTIFICATION), certificates=certificates, topic_arn={TOPIC, "other"})
    assert message.topic_arn == TOPIC


async def test_subscription_is_confirmed_on_request(certificates: SnsCertificates, web: Web) -> None:
    web.pages[SUBSCRIBE_URL] = b"<ConfirmSubscriptionResponse/>"
    body = signed(CONFIRMATION)
    await verify_sns_message(body, certificates=certificates, topic_arn=TOPIC, fetch=web.fetch)
    assert SUBSCRIBE_URL not in web.fetched
    await verify_sns_message(
        body, certificates=certificates, topic_arn=TOPIC, confirm_subscription=True, fetch=web.fetch
    )
    assert web.fetched == [CERTIFICATE_URL, SUBSCRIBE_URL]
    await verify_sns_message(
        signed(NOTIFICATION), certificates=certificates, topic_arn=TOPIC, confirm_subscription=True, fetch=web.fetch
    )
    assert web.fetched == [CERTIFICATE_URL, SUBSCRIBE_URL]


async def test_subscription_of_any_topic_is_never_confirmed(certificates: SnsCertificates, web: Web) -> None:
    with pytest.raises(InvalidRequestError, match="topic_arn"):
        await verify_sns_message(
            signed(CONFIRMATION), certificates=certificates, confirm_subscription=True, fetch=web.fetch
        )
    other = signed({**CONFIRMATION, "TopicArn": "arn:aws:sns:us-east-1:999999999999:evil"})
    elsewhere = signed({**CONFIRMATION, "SubscribeURL": "https://example/?Action=ConfirmSubscription"})
    for body in (other, elsewhere):
        with pytest.raises(InvalidSignatureError):
            await verify_sns_message(
                body, certificates=certificates, topic_arn=TOPIC, confirm_subscription=True, fetch=web.fetch
            )
    assert web.fetched == [CERTIFICATE_URL]


# ------------------------------------------------------------------------------------------------------------ malformed


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"Type": "Other"}, "Type"),
        ({"Type": None}, "Type"),
        ({"Message": None}, "Message"),
        ({"Message": {"a": 1}}, "Message"),
        ({"Subject": 5}, "Subject"),
        ({"Signature": "%%%"}, "Signature"),
        ({"Signature": None}, "Signature"),
        ({"SignatureVersion": "3"}, "SignatureVersion"),
        ({"SignatureVersion": 1}, "SignatureVersion"),
        ({"SignatureVersion": []}, "SignatureVersion"),
        ({"SigningCertURL": None}, "SigningCertURL"),
    ],
    ids=str,
)
async def test_malformed_message_is_reported_by_its_path(
    certificates: SnsCertificates, web: Web, change: dict[str, object], path: str
) -> None:
    with pytest.raises(MalformedEventError) as caught:
        await verify_sns_message({**signed(NOTIFICATION), **change}, certificates=certificates)
    assert [issue.path for issue in caught.value.issues] == [path]
    assert web.fetched == []


@pytest.mark.parametrize("body", ["", "junk", b"\xff", "[]", "5", "[" * 100_000], ids=lambda body: repr(body)[:10])
async def test_body_that_is_no_json_object_is_malformed(certificates: SnsCertificates, body: str | bytes) -> None:
    with pytest.raises(MalformedEventError):
        await verify_sns_message(body, certificates=certificates)


async def test_timestamp_that_is_none_is_malformed(certificates: SnsCertificates) -> None:
    with pytest.raises(MalformedEventError, match="Timestamp"):
        await verify_sns_message(signed({**NOTIFICATION, "Timestamp": "yesterday"}), certificates=certificates)


# ----------------------------------------------------------------------------------------------------------------- HTTP


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\npem", b"pem"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 65000\r\n\r\n" + b"p" * 65_000, b"p" * 65_000),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 66000\r\n\r\n" + b"p" * 66_000, "more than 65536 bytes"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"", "cannot be fetched"),
    ],
    ids=["200", "large", "too-large", "404", "302", "closed"],
)
async def test_fetch_follows_no_redirect_and_raises_transient_errors(answer: bytes, found: bytes | str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/?Token=secret"
        if isinstance(found, bytes):
            assert await fetch_from_sns(url) == found
            return
        with pytest.raises(ConnectError, match=found) as caught:
            await fetch_from_sns(url)
    assert "secret" not in str(caught.value)
