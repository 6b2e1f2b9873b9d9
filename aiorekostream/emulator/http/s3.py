"""Serve the part of Amazon S3 with which results are read: get, head and list, in path style and by virtual host.

See https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html.
"""

from __future__ import annotations

import base64
import datetime
import email.utils
import hashlib
import re
import urllib.parse
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import attrs

from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.http.callers import CallerDirectory, host_name
from aiorekostream.emulator.http.dispatch import Plane
from aiorekostream.emulator.http.pump import ResultPump
from aiorekostream.emulator.http.signatures import SignedResource
from aiorekostream.emulator.http.wire import HttpResponse
from aiorekostream.emulator.pictures import picture_size, render
from aiorekostream.emulator.world.answers import Refusal, RefusedError, refuse
from aiorekostream.emulator.world.objects import Bucket, Buckets, Picture, StoredObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiorekostream.emulator.http.wire import HttpRequest, RequestHead

__all__ = ["S3Plane"]

_XML = "application/xml"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SCOPE = "/s3/aws4_request"
_MAX_KEYS = 1_000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
# The codes of S3 for what other services call differently.
_CODES = {
    "MissingAuthenticationTokenException": "AccessDenied",
    "IncompleteSignatureException": "AuthorizationHeaderMalformed",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidAccessKeyId",
}


@attrs.define(kw_only=True)
class S3Plane(Plane):
    """Serve the API of Amazon S3.

    Attributes:
        buckets: the buckets.
        callers: identifies callers.
        pump: makes results when they are due.
        clock: the emulator's clock.
    """

    buckets: Buckets
    callers: CallerDirectory
    pump: ResultPump
    clock: EmulatorClock

    def accepts(self, head: RequestHead) -> bool:
        """Return whether a request is signed for S3."""
        return _SCOPE in head.headers.get("authorization", "")

    def refuse(self, refusal: Refusal, request_id: str) -> HttpResponse:
        """See ``Plane.refuse``."""
        return _error(refusal, request_id)

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """See ``Plane.respond``."""
        try:
            response = self._respond(request)
        except RefusedError as error:
            response = _error(error.refusal, request.request_id)
        return attrs.evolve(response, headers={**response.headers, "x-amz-request-id": request.request_id})

    def _respond(self, request: HttpRequest) -> HttpResponse:
        head = request.head
        path, _, query = head.path.partition("?")
        path = urllib.parse.unquote(path)
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        caller = self.callers.identify(request, "s3", _signed_resource(head, path, query))
        if head.method not in {"GET", "HEAD"}:
            raise refuse(Refusal("NotImplemented", "The emulator's buckets hold what label detections write.", 501))
        name, key = self.callers.bucket_in_host(host_name(head.headers)), path.removeprefix("/")
        if not name:
            name, _, key = key.partition("/")
        self.pump.advance()
        self.buckets.expire(self.clock.now())
        if not name:
            return _list_buckets(caller.account, self.buckets.of_account(caller.account))
        bucket = self.buckets.get(caller.account, name)
        if bucket is None:
            raise refuse(Refusal("NoSuchBucket", "The specified bucket does not exist", 404))
        if key:
            stored = bucket.get(key)
            if stored is None:
                raise refuse(Refusal("NoSuchKey", "The specified key does not exist.", 404))
            return _object(stored, head.headers.get("range"))
        if head.method == "HEAD":
            return HttpResponse(200, b"", _XML, {"x-amz-bucket-region": caller.region})
        if "location" in parameters:
            return _xml("LocationConstraint", "" if caller.region == "us-east-1" else escape(caller.region))
        return _list_objects(name, bucket, parameters)


def _signed_resource(head: RequestHead, path: str, query: str) -> SignedResource:
    pairs = sorted(
        (urllib.parse.quote(key, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
        for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True)
    )
    canonical_query = "&".join(f"{key}={value}" for key, value in pairs)
    digest = head.headers.get("x-amz-content-sha256")
    return SignedResource(head.method, urllib.parse.quote(path, safe="/-_.~"), canonical_query, digest)


# -------------------------------------------------------------------------------------------------------------- objects


def _object(stored: StoredObject, wanted_range: str | None) -> HttpResponse:
    is_picture = isinstance(stored.content, Picture)
    body = render(stored.content) if isinstance(stored.content, Picture) else stored.content
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": _etag(stored),
        "Last-Modified": email.utils.formatdate(stored.at, usegmt=True),
    }
    if stored.kms_key is not None:
        headers["x-amz-server-side-encryption"] = "aws:kms"
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = stored.kms_key
    status = 200
    match = _RANGE.fullmatch(wanted_range or "")
    if match is not None and match.group(0) != "bytes=-":
        first, last = _bounds(match[1], match[2], len(body))
        if first > last:
            raise refuse(Refusal("InvalidRange", "The requested range is not satisfiable", 416))
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        body, status = body[first : last + 1], 206
    return HttpResponse(status, body, "image/jpeg" if is_picture else "application/json", headers)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a range."""
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _size(stored: StoredObject) -> int:
    return picture_size() if isinstance(stored.content, Picture) else len(stored.content)


def _etag(stored: StoredObject) -> str:
    """Return the entity tag: as that of an object encrypted with KMS, it is not the MD5 digest of the content."""
    identity = f"{stored.bucket}/{stored.key} {stored.at!r} {_size(stored)}"
    return f'"{hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()}"'


# ---------------------------------------------------------------------------------------------------------------- lists


def _list_buckets(account: str, buckets: Sequence[tuple[str, Bucket]]) -> HttpResponse:
    items = "".join(
        f"<Bucket><Name>{escape(name)}</Name><CreationDate>{_time(bucket.created)}</CreationDate></Bucket>"
        for name, bucket in buckets
    )
    owner = f"<Owner><ID>{account}</ID><DisplayName>{account}</DisplayName></Owner>"
    return _xml("ListAllMyBucketsResult", f"{owner}<Buckets>{items}</Buckets>")


def _list_objects(name: str, bucket: Bucket, query: Mapping[str, str]) -> HttpResponse:
    """List objects in either version of the API; version 2 has tokens, and version 1 the last key itself."""
    is_second = query.get("list-type") == "2"
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    begin = query.get("start-after", "") if is_second else query.get("marker", "")
    size = _max_keys(query.get("max-keys"))
    page = _page(bucket, prefix, delimiter, _key_in_token(token) if is_second and token else begin, size)
    encode = _url_encoded if query.get("encoding-type") == "url" else escape
    parts = [_tag("Name", escape(name)), _tag("Prefix", encode(prefix)), _tag("MaxKeys", str(size))]
    if delimiter:
        parts.append(_tag("Delimiter", encode(delimiter)))
    if "encoding-type" in query:
        parts.append(_tag("EncodingType", escape(query["encoding-type"])))
    if is_second:
        parts.append(_tag("KeyCount", str(len(page.objects) + len(page.prefixes))))
        parts += [_tag("ContinuationToken", escape(token))] if token else []
        parts += [_tag("StartAfter", encode(begin))] if begin else []
        parts += [_tag("NextContinuationToken", _token(page.last))] if page.is_truncated else []
    else:
        parts.append(_tag("Marker", encode(begin)))
        parts += [_tag("NextMarker", encode(page.last))] if page.is_truncated else []
    parts.append(_tag("IsTruncated", "true" if page.is_truncated else "false"))
    parts += [
        f"<Contents><Key>{encode(stored.key)}</Key><LastModified>{_time(stored.at)}</LastModified>"
        f"<ETag>{escape(_etag(stored))}</ETag><Size>{_size(stored)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for stored in page.objects
    ]
    parts += [f"<CommonPrefixes><Prefix>{encode(each)}</Prefix></CommonPrefixes>" for each in page.prefixes]
    return _xml("ListBucketResult", "".join(parts))


@attrs.define
class _ObjectPage:
    """One page of a list.

    Attributes:
        objects: the objects.
        prefixes: the prefixes that stand for the objects below them.
        last: the last key or prefix.
        is_truncated: whether more follows.
    """

    objects: list[StoredObject] = attrs.field(factory=list)
    prefixes: list[str] = attrs.field(factory=list)
    last: str = ""
    is_truncated: bool = False


def _page(bucket: Bucket, prefix: str, delimiter: str, start_after: str, size: int) -> _ObjectPage:
    page = _ObjectPage()
    for stored in bucket.after(prefix, start_after):
        head, found, _ = stored.key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        common = f"{prefix}{head}{found}" if found else ""
        # A page that begins after a prefix leaves out everything below it.
        if common and (common == page.last or (start_after.endswith(delimiter) and common == start_after)):
            continue
        if len(page.objects) + len(page.prefixes) >= size:
            page.is_truncated = size > 0
            break
        if common:
            page.prefixes.append(common)
        else:
            page.objects.append(stored)
        page.last = common or stored.key
    return page


def _max_keys(value: str | None) -> int:
    if value is None:
        return _MAX_KEYS
    if not value.isdecimal():
        raise refuse(Refusal("InvalidArgument", "Provided max-keys not an integer or within integer range", 400))
    return min(int(value), _MAX_KEYS)


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode()


def _key_in_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode("utf-8", "surrogatepass")
    except ValueError:
        message = "The continuation token provided is incorrect"
        raise refuse(Refusal("InvalidArgument", message, 400)) from None


# ------------------------------------------------------------------------------------------------------------------ XML


def _tag(name: str, text: str) -> str:
    return f"<{name}>{text}</{name}>"


def _url_encoded(text: str) -> str:
    return urllib.parse.quote(text, safe="/-_.~*")


def _time(moment: float) -> str:
    time = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def _xml(root: str, content: str, *, status: int = 200, namespace: str = f' xmlns="{_NAMESPACE}"') -> HttpResponse:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{namespace}>{content}</{root}>'
    return HttpResponse(status, body.encode("utf-8", "replace"), _XML)


def _error(refusal: Refusal, request_id: str) -> HttpResponse:
    code = _CODES.get(refusal.code, refusal.code)
    parts = (("Code", code), ("Message", refusal.message or ""), ("RequestId", request_id))
    content = "".join(_tag(name, escape(text)) for name, text in parts)
    return _xml("Error", content, status=refusal.status, namespace="")
