"""Messages as SNS signs them, with a key of our own, and the web from which its certificate is fetched."""

from __future__ import annotations

import asyncio
import base64
import datetime
from typing import TYPE_CHECKING

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from aiorekostream.errors import ConnectError
from tests.payloads import text

if TYPE_CHECKING:
    from collections.abc import Mapping

TOPIC = "arn:aws:sns:us-east-1:111122223333:porch"
CERTIFICATE_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE_URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0"
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "00000000-0000-5000-8000-000000000001",
    "TopicArn": TOPIC,
    "Subject": "Rekognition Stream Processing Event",
    "Message": text("label-detected"),
    "Timestamp": "2022-04-15T05:22:03.999Z",
    "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
}
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "00000000-0000-5000-8000-000000000002",
    "Token": "t0",
    "TopicArn": TOPIC,
    "Message": "You have chosen to subscribe to the topic.\nTo confirm, visit the SubscribeURL.",
    "SubscribeURL": SUBSCRIBE_URL,
    "Timestamp": "2022-04-15T05:22:03.999Z",
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY,
    *,
    begin: datetime.datetime | None = None,
    days: int = 365,
) -> bytes:
    """Return a certificate of a key, valid for a number of days; by default since yesterday."""
    begin = begin or datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def signed(message: Mapping[str, str], version: str = "1", **changes: object) -> dict[str, object]:
    """Sign as AWS's documentation describes it, in the order that it lists."""
    if message["Type"] == "Notification":
        keys = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        keys = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    document = "".join(f"{key}\n{message[key]}\n" for key in keys if key in message)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - version 1 is SHA-1
    signature = KEY.sign(document.encode(), padding.PKCS1v15(), algorithm)
    return {
        **message,
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }


@attrs.define
class Web:
    """What stands behind URLs."""

    pages: dict[str, bytes] = attrs.field(factory=lambda: {CERTIFICATE_URL: pem_certificate()})
    fetched: list[str] = attrs.field(factory=list)

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        await asyncio.sleep(0)
        if url not in self.pages:
            raise ConnectError("HTTP 404", operation="fetching", retry_safe=True)
        return self.pages[url]
