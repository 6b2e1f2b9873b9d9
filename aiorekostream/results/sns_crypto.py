"""Verify signatures of Amazon SNS with the package cryptography; import this module late, in a worker thread.

See https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

if TYPE_CHECKING:
    import datetime

__all__ = ["is_signed", "load"]


def load(content: bytes) -> tuple[RSAPublicKey, datetime.datetime, datetime.datetime]:
    """Return the key of a certificate, and the time from and until which it is valid.

    Raises:
        ValueError: the content is no certificate with an RSA key.
    """
    certificate = load_pem_x509_certificate(content)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate has no RSA key")  # noqa: TRY004 - its content is wrong, not its type
    return key, certificate.not_valid_before_utc, certificate.not_valid_after_utc


def is_signed(key: RSAPublicKey, signature: bytes, signed: bytes, version: str) -> bool:
    """Return whether the key made the signature of these bytes; version 1 is SHA-1, version 2 SHA-256."""
    # SHA-1 is what SNS uses unless the topic asks for version 2.
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - the same
    try:
        key.verify(signature, signed, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True
