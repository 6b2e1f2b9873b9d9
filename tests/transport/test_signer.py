"""The signer of the package and that of botocore produce the same headers."""

from __future__ import annotations

import datetime
from unittest import mock

import botocore.auth
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.transport import signer

# The key of a day is kept, for the next call of its Region and service: the first examples are of two days.
_LAST = datetime.datetime(2026, 4, 30, 23, 59, 59, tzinfo=datetime.UTC)
_NEXT = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_NAMES = st.sampled_from(
    [
        "Content-Type",
        "Expect",
        "Transfer-Encoding",
        "User-Agent",
        "X-Amz-Target",
        "X-Amzn-Trace-Id",
        "X-Odd",
    ]
)
_HOSTS = {
    "https://rekognition.us-east-1.amazonaws.com/": "rekognition.us-east-1.amazonaws.com",
    "http://h:80/": "h",
    "http://127.0.0.1:4599/": "127.0.0.1:4599",
    "http://[::1]:4599/": "[::1]:4599",
    "https://h:443/": "h",
}


@given(
    moment=st.sampled_from([_LAST, _NEXT]),
    url=st.sampled_from(sorted(_HOSTS)),
    headers=st.dictionaries(_NAMES, _TEXT),
    body=st.binary(max_size=50),
    token=st.none() | _TEXT.filter(bool),
    names=st.tuples(*[st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=20)] * 2),
)
@example(moment=_LAST, url="http://h:80/", headers={}, body=b"", token=None, names=("us-east-1", "rekognition"))
@example(moment=_NEXT, url="http://h:80/", headers={}, body=b"", token=None, names=("us-east-1", "rekognition"))
@example(
    moment=_LAST,
    url="http://h:80/",
    headers={"X-Odd": " a  b "},
    body=b"{}",
    token=" t  t",
    names=("us-east-1", "rekognition"),
)
def test_signer_signs_as_botocore_does(
    *,
    moment: datetime.datetime,
    url: str,
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    names: tuple[str, str],
) -> None:
    credentials = ReadOnlyCredentials("AKIAEXAMPLE", "an-example-and-no-secret", token)
    region, service = names
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        SigV4Auth(credentials, service, region).add_auth(request)
    added = signer.signature_headers(
        headers,
        body,
        host=_HOSTS[url],
        credentials=credentials,
        region=region,
        service=service,
        moment=moment.strftime(SIGV4_TIMESTAMP),
    )
    assert [*headers.items(), *added.items()] == request.headers.items()
