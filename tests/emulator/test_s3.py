"""Read pictures and summaries over HTTP with boto3: from the emulator's own port, and from moto's server."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.exceptions import ClientError

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, Footage, ManualClock, Timings, pictures
from aiorekostream.emulator.world.objects import Buckets, StoredObject
from tests.emulator.aws_services import KEY, AsyncClient, events, service
from tests.emulator.clients import exchange, http
from tests.emulator.samples import labels, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOOTAGE = Footage([Appearance(Label.PERSON, at=2), Appearance(Label.PACKAGE, at=4)])
TOPIC = "arn:aws:sns:us-east-1:123456789012:doors"  # of moto's account


@attrs.frozen
class Home:
    """Where the results of two sessions are read."""

    s3: AsyncClient
    events: list[dict[str, Any]]


@pytest.fixture(params=["emulator", "moto"])
async def home(request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    """Two sessions of a camera, read from the emulator and from a server that it delivers to."""
    moto: str | None = request.getfixturevalue("moto_url") if request.param == "moto" else None
    clock = ManualClock()
    async with Emulator(clock=clock, footage=FOOTAGE, timings=Timings(detecting=0), deliver_to=moto) as emulator:
        url = moto or emulator.url
        rekognition, sqs, s3 = service("rekognition", emulator.url), service("sqs", url), service("s3", url)
        if moto is not None:
            sns = service("sns", moto)
            await sns("create_topic", Name="doors")
            await sqs("create_queue", QueueName="doors")
            arn = "arn:aws:sqs:us-east-1:123456789012:doors"
            await sns("subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)
            await s3("create_bucket", Bucket="pictures")
            sns.client.close()
        await rekognition("create_stream_processor", **labels("door", NotificationChannel={"SNSTopicArn": TOPIC}))
        for _ in range(2):
            await rekognition("start_stream_processor", **session("door"))
            emulator.advance(10)
        queue = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]
        found: list[dict[str, Any]] = []
        while len(found) < 6:
            response = await sqs("receive_message", QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            found += events(response["Messages"])
        yield Home(s3, found)
        for client in (rekognition, sqs, s3):
            client.client.close()


async def content(s3: AsyncClient, uri: str) -> bytes:
    """Return the object of an S3 URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    response = await s3("get_object", Bucket=bucket, Key=key)
    body: bytes = await asyncio.to_thread(response["Body"].read)
    return body


async def refused(s3: AsyncClient, verb: str, **members: object) -> tuple[str, int]:
    """Call a method that fails, and return the error code and the HTTP status."""
    with pytest.raises(ClientError) as caught:
        await s3(verb, **members)
    error: Any = caught.value.response
    return str(error["Error"]["Code"]), int(error["ResponseMetadata"]["HTTPStatusCode"])


async def test_pictures_of_each_event_are_jpeg(home: Home) -> None:
    image = pytest.importorskip("PIL.Image")
    detected = [label for event in home.events for label in event.get("labels", [])]
    assert len(detected) == 4
    for label in detected:
        frame = image.open(io.BytesIO(await content(home.s3, label["frameImageUri"])))
        crop = image.open(io.BytesIO(await content(home.s3, label["croppedImageUri"])))
        assert (frame.format, frame.size) == ("JPEG", (640, 360))
        assert (crop.format, crop.size) == ("JPEG", (160, 180))
        frame.load()


async def test_frame_shows_the_box_of_its_label(home: Home) -> None:
    """The line is 3 pixels wide; the crop has it at its edge."""
    image = pytest.importorskip("PIL.Image")
    for label in [label for event in home.events for label in event.get("labels", [])]:
        box = label["boundingBox"]
        left, middle = round(box["left"] * 640), round((box["top"] + box["height"] / 2) * 360)
        frame = image.open(io.BytesIO(await content(home.s3, label["frameImageUri"]))).convert("RGB")
        crop = image.open(io.BytesIO(await content(home.s3, label["croppedImageUri"]))).convert("RGB")
        outside, line, inside = (frame.getpixel((left + x, middle)) for x in (-8, 1, 12))
        edge, centre = (crop.getpixel((x, crop.height // 2)) for x in (1, 12))
        for one, other in ((line, outside), (line, inside), (edge, centre)):
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 60


async def test_head_tells_size_and_type(home: Home) -> None:
    key = home.events[0]["labels"][0]["frameImageUri"].removeprefix("s3://pictures/")
    found = await home.s3("head_object", Bucket="pictures", Key=key)
    body = await content(home.s3, f"s3://pictures/{key}")
    assert (found["ContentLength"], found["ContentType"]) == (len(body), "image/jpeg")
    assert await home.s3("head_bucket", Bucket="pictures") is not None


async def test_list_tells_every_object(home: Home) -> None:
    contents = (await home.s3("list_objects_v2", Bucket="pictures"))["Contents"]
    keys = [item["Key"] for item in contents]
    assert (len(keys), keys) == (10, sorted(keys))
    for item in contents:
        head = await home.s3("head_object", Bucket="pictures", Key=item["Key"])
        assert (head["ContentLength"], head["ETag"]) == (item["Size"], item["ETag"])
    (bucket,) = (await home.s3("list_buckets"))["Buckets"]
    assert bucket["Name"] == "pictures"


async def test_list_is_paged_by_prefix_and_delimiter(home: Home) -> None:
    sessions = sorted({event["sessionId"] for event in home.events})
    prefixes = [f"doors/door/{session_id}/" for session_id in sessions]
    below = await home.s3("list_objects_v2", Bucket="pictures", Prefix="doors/door/", Delimiter="/")
    assert [each["Prefix"] for each in below["CommonPrefixes"]] == prefixes
    first = await home.s3("list_objects_v2", Bucket="pictures", Prefix="doors/door/", Delimiter="/", MaxKeys=1)
    token = first["NextContinuationToken"]
    second = await home.s3(
        "list_objects_v2",
        Bucket="pictures",
        Prefix="doors/door/",
        Delimiter="/",
        ContinuationToken=token,
    )
    pages = [[each["Prefix"] for each in page["CommonPrefixes"]] for page in (first, second)]
    assert (pages, second["IsTruncated"]) == ([[prefixes[0]], [prefixes[1]]], False)
    keys: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = await home.s3("list_objects_v2", Bucket="pictures", Prefix=prefixes[1], MaxKeys=2, **more)
        keys += [item["Key"] for item in page["Contents"]]
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    assert len(keys) == len(set(keys)) == 5
    after = await home.s3("list_objects_v2", Bucket="pictures", Prefix=prefixes[1], StartAfter=keys[2])
    assert [item["Key"] for item in after["Contents"]] == keys[3:]
    old = await home.s3("list_objects", Bucket="pictures", Prefix=prefixes[1], Marker=keys[0])
    assert [item["Key"] for item in old["Contents"]] == keys[1:]


async def test_range_of_an_object_is_returned(home: Home) -> None:
    uri = home.events[0]["labels"][0]["frameImageUri"]
    key = uri.removeprefix("s3://pictures/")
    whole = await content(home.s3, uri)
    for wanted, expected in (("bytes=0-1", whole[:2]), ("bytes=10-", whole[10:]), ("bytes=-5", whole[-5:])):
        response = await home.s3("get_object", Bucket="pictures", Key=key, Range=wanted)
        assert await asyncio.to_thread(response["Body"].read) == expected
    assert (await refused(home.s3, "get_object", Bucket="pictures", Key=key, Range="bytes=99999999-"))[1] == 416


async def test_what_does_not_exist_is_reported(home: Home) -> None:
    assert await refused(home.s3, "get_object", Bucket="pictures", Key="none") == ("NoSuchKey", 404)
    assert await refused(home.s3, "head_object", Bucket="pictures", Key="none") == ("404", 404)
    assert await refused(home.s3, "list_objects_v2", Bucket="no-bucket") == ("NoSuchBucket", 404)
    assert await refused(home.s3, "head_bucket", Bucket="no-bucket") == ("404", 404)


async def test_summary_is_json_of_the_session(home: Home) -> None:
    """Its format is the emulator's own: AWS does not document one."""
    session_id = home.events[0]["sessionId"]
    summary = json.loads(await content(home.s3, f"s3://pictures/doors/door/{session_id}/session-summary.json"))
    assert [label["name"] for label in summary["labels"]] == ["PERSON", "PACKAGE"]


# ------------------------------------------------------------------------------------------------ the emulator's own


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("127.0.0.1", "/pictures?list-type=2"),
        ("localhost:4599", "/pictures?list-type=2"),
        ("pictures.localhost:4599", "/?list-type=2"),
        ("pictures.s3.localhost", "/?list-type=2"),
        ("s3.localhost", "/pictures/?list-type=2"),
        ("pictures.emulator:4599", "/?list-type=2"),
        ("pictures.s3.emulator", "/?list-type=2"),
    ],
)
async def test_bucket_is_in_the_path_or_in_the_host(host: str, path: str) -> None:
    async with Emulator(allow_hosts=["emulator"]) as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        authorization = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
        headers = {"Host": host, "X-Amz-Target": None, "Authorization": f"{authorization}Signature=00"}
        response = await exchange(emulator.url, http(method="GET", path=path, headers=headers, body=b""))
        assert (response.status, b"<Name>pictures</Name>" in response.body) == (200, True)


async def test_write_is_refused() -> None:
    async with Emulator() as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        s3 = service("s3", emulator.url)
        assert await refused(s3, "put_object", Bucket="pictures", Key="a", Body=b"a") == ("NotImplemented", 501)
        s3.client.close()


async def test_bucket_of_another_account_does_not_exist() -> None:
    async with Emulator() as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        s3 = service("s3", emulator.url, key="AKIAOTHER")
        assert await refused(s3, "list_objects_v2", Bucket="pictures") == ("NoSuchBucket", 404)
        s3.client.close()


async def test_object_is_removed_after_a_day() -> None:
    async with Emulator(clock=ManualClock()) as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        rekognition, s3 = service("rekognition", emulator.url), service("s3", emulator.url)
        await rekognition("start_stream_processor", **session("door"))
        emulator.advance(10 + 86_399)
        assert (await s3("list_objects_v2", Bucket="pictures"))["KeyCount"] == 1
        emulator.advance(1)
        assert (await s3("list_objects_v2", Bucket="pictures"))["KeyCount"] == 0
        rekognition.client.close()
        s3.client.close()


def test_oldest_objects_are_removed_when_there_are_too_many() -> None:
    buckets = Buckets(max_objects=2)
    for number in range(4):
        buckets.put(StoredObject(account="1", bucket="a", key=str(number), at=number, content=b""))
    bucket = buckets.get("1", "a")
    assert bucket is not None
    assert [stored.key for stored in bucket.after("", "")] == ["2", "3"]


async def test_picture_is_small_and_fixed_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    pictures._pillow.cache_clear()
    try:
        async with Emulator(clock=ManualClock(), footage=FOOTAGE) as emulator:
            emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
            rekognition, s3 = service("rekognition", emulator.url), service("s3", emulator.url)
            await rekognition("start_stream_processor", **session("door"))
            emulator.advance(10)
            contents = (await s3("list_objects_v2", Bucket="pictures"))["Contents"]
            (size,) = {item["Size"] for item in contents if item["Key"].endswith(".jpg")}
            body = await content(s3, f"s3://pictures/{contents[0]['Key']}")
            assert (len(body), body[:3], body[-2:]) == (size, b"\xff\xd8\xff", b"\xff\xd9")
            assert size < 1_000
            rekognition.client.close()
            s3.client.close()
    finally:
        pictures._pillow.cache_clear()
