"""Verify the messages that Amazon SNS posts to an HTTP endpoint."""

import base64
import binascii
import datetime
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import cast, final

import attrs

from aiorekostream.codec.notifications import parse_notification
from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.errors import (
    InvalidRequestError,
    InvalidSignatureError,
    MalformedEventError,
    ValidationIssue,
)
from aiorekostream.results.sns_certificates import SnsCertificates, fetch_from_sns, is_sns_url

__all__ = ["SnsMessage", "verify_sns_message"]

_NOTIFICATION, _CONFIRMATION = "Notification", "SubscriptionConfirmation"
# What is signed, by type, in this order; a member that is absent is left out.
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Mapping[str, tuple[str, ...]] = {
    _NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    _CONFIRMATION: _CONFIRMATION_FIELDS,
    "UnsubscribeConfirmation": _CONFIRMATION_FIELDS,
}
_OPTIONAL = {"Subject"}
_VERSIONS = ("1", "2")
_SHARED = SnsCertificates()


@final
@attrs.frozen(kw_only=True)
class SnsMessage:
    """A message that Amazon SNS has signed.

    See https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html.

    Attributes:
        type: ``Notification``, ``SubscriptionConfirmation`` or ``UnsubscribeConfirmation``.
        message_id: SNS's id of the message, the same when it is delivered again.
        topic_arn: the topic.
        message: the content.
        timestamp: the date and time in UTC when it was published.
        subject: the subject; ``None`` if it has none.
        subscribe_url: the URL that confirms the subscription; ``None`` for a notification.
    """

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: datetime.datetime
    subject: str | None = None
    subscribe_url: str | None = None

    @property
    def is_notification(self) -> bool:
        """Whether it carries an event, rather than a confirmation of SNS's own."""
        return self.type == _NOTIFICATION

    @property
    def event(self) -> StreamProcessorEvent:
        """The event in a notification.

        Raises:
            MalformedEventError: the message has no event of a stream processor.
        """
        return parse_notification({"Type": self.type, "Message": self.message})


async def verify_sns_message(
    body: bytes | str | Mapping[str, object],
    *,
    topic_arn: str | Collection[str] | None = None,
    confirm_subscription: bool = False,
    certificates: SnsCertificates = _SHARED,
    fetch: Callable[[str], Awaitable[bytes]] = fetch_from_sns,
) -> SnsMessage:
    """Verify that a message was signed by Amazon SNS, and return it.

    An HTTP endpoint is open to everyone, so a message must not be used before this returns. Any AWS customer can have
    SNS sign a message for a topic of their own: give ``topic_arn``. Needs the extra ``sns``.

    Args:
        body: the body of the request that SNS posted: JSON as bytes or text, or a mapping.
        topic_arn: the ARN of the topic, or those of several, that messages are accepted from; any by default.
        confirm_subscription: whether a SubscriptionConfirmation is confirmed, which requires ``topic_arn``.
        certificates: keeps the certificates; by default one for the whole process.
        fetch: an async function that gets the URL of a confirmation.

    Raises:
        InvalidSignatureError: the message was not signed by SNS, or is not for these topics. Answer with HTTP 403.
        MalformedEventError: the body is no message of SNS. Answer with HTTP 400.
        ConnectError: the certificate or the confirmation cannot be fetched at the moment. Answer with HTTP 503, so that
            SNS delivers the message again.
        ConfigurationError: the extra ``sns`` is not installed.
        InvalidRequestError: ``confirm_subscription`` is given without ``topic_arn``.
    """
    if confirm_subscription and topic_arn is None:
        expected = "given with confirm_subscription: otherwise every topic of every account would be confirmed"
        raise InvalidRequestError([ValidationIssue(("topic_arn",), None, expected)])
    members = _members(body)
    kind, signature = _checked(members)
    signed = "".join(f"{key}\n{members[key]}\n" for key in _SIGNED[kind] if members.get(key) is not None)
    await certificates.verify(
        members["SigningCertURL"],
        signature=signature,
        signed=signed.encode("utf-8", "surrogatepass"),
        version=str(members["SignatureVersion"]),
    )
    message = _message(members)
    topics = {topic_arn} if isinstance(topic_arn, str) else topic_arn
    if topics is not None and message.topic_arn not in topics:
        raise InvalidSignatureError(f"the message is from another topic: {message.topic_arn}")
    if confirm_subscription and kind == _CONFIRMATION:
        url = message.subscribe_url
        if url is None or not is_sns_url(url):
            raise InvalidSignatureError(f"the subscription is not confirmed at a host of Amazon SNS: {url!r:.200}")
        await fetch(url)
    return message


def _members(body: bytes | str | Mapping[str, object]) -> Mapping[str, object]:
    data: object = body
    if isinstance(body, bytes | bytearray | memoryview | str):
        try:
            data = json.loads(body if isinstance(body, str) else str(body, "utf-8"))
        except (ValueError, RecursionError) as error:
            raise MalformedEventError([ValidationIssue((), body, "JSON")]) from error
    if not isinstance(data, Mapping):
        raise MalformedEventError([ValidationIssue((), data, "a JSON object")])
    return cast("Mapping[str, object]", data)


def _checked(members: Mapping[str, object]) -> tuple[str, bytes]:
    """Return the type and the signature of a message whose members have the right types."""
    kind = members.get("Type")
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise MalformedEventError([ValidationIssue(("Type",), kind, f"one of {', '.join(_SIGNED)}")])
    issues = [
        ValidationIssue((key,), members.get(key), "text")
        for key in (*_SIGNED[kind], "SigningCertURL", "Signature")
        if not isinstance(members.get(key), str) and not (key in _OPTIONAL and members.get(key) is None)
    ]
    version = members.get("SignatureVersion")
    if version not in _VERSIONS:
        issues.append(ValidationIssue(("SignatureVersion",), version, f"one of {', '.join(_VERSIONS)}"))
    signature = members.get("Signature")
    decoded = b""
    if isinstance(signature, str):
        try:
            decoded = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            issues.append(ValidationIssue(("Signature",), signature, "base64"))
    if issues:
        raise MalformedEventError(issues)
    return kind, decoded


def _message(members: Mapping[str, object]) -> SnsMessage:
    text = cast("Mapping[str, str]", members)
    try:
        timestamp = datetime.datetime.fromisoformat(text["Timestamp"]).astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        issue = ValidationIssue(("Timestamp",), text["Timestamp"], "a date and time in ISO 8601")
        raise MalformedEventError([issue]) from error
    return SnsMessage(
        type=text["Type"],
        message_id=text["MessageId"],
        topic_arn=text["TopicArn"],
        message=text["Message"],
        timestamp=timestamp,
        subject=text.get("Subject"),
        subscribe_url=text.get("SubscribeURL"),
    )
