"""Run ``aiorekostream emulator`` with each option, as the documentation shows it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from aiorekostream.cli.option_files import read_credentials, read_faults, read_footage, read_limits, read_processors
from aiorekostream.errors import ConfigurationError
from tests.cli.emulator_command import documented, refused, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def control(url: str, method: str, what: str, members: object = None) -> dict[str, Any]:
    body = None if members is None else json.dumps(members).encode()
    request = urllib.request.Request(f"{url}/_emulator/{what}", body, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as response:  # noqa: S310
        found: dict[str, Any] = json.load(response)
        return found


READERS: Mapping[str, Callable[[Path], object]] = {
    "credentials": read_credentials,
    "faults": read_faults,
    "footage": read_footage,
    "limits": read_limits,
    "processors": read_processors,
}


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return str(response["Error"]["Code"])


def test_command_serves_until_interrupted() -> None:
    with running() as emulator:
        assert emulator.client().list_stream_processors()["StreamProcessors"] == []
    assert emulator.error == ""


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--speed", "0"], ["--port", "door"], ["--clock", "sun"]])
def test_command_rejects_invalid_options(arguments: list[str]) -> None:
    status, written = refused(*arguments)
    assert status == 2
    assert arguments[0] in written


def test_command_rejects_options_that_contradict_each_other() -> None:
    status, written = refused("--clock", "manual", "--speed", "2")
    assert (status, written.count("\n")) == (1, 1)
    assert "--clock manual" in written
    assert "--speed" in written


def test_command_rejects_an_origin_that_is_none() -> None:
    status, written = refused("--allow-origin", "http://localhost:3000/page")
    assert status == 1
    assert "allow_origins[0]: must be an origin" in written


def test_speed_makes_the_clock_faster() -> None:
    with running("--speed", "1000000") as emulator:
        assert float(control(emulator.url, "GET", "health")["now"]) > time.time() + 100


def test_calls_are_recorded_only_with_the_option() -> None:
    with running("--record") as emulator:
        emulator.client().list_stream_processors()
        assert [call["operation"] for call in control(emulator.url, "GET", "calls")["calls"]] == [
            "ListStreamProcessors"
        ]
    with running() as emulator, pytest.raises(urllib.error.HTTPError) as caught:
        control(emulator.url, "GET", "calls")
    assert caught.value.code == 400
    assert "--record" in json.load(caught.value)["message"]


def test_log_writes_one_line_for_each_call() -> None:
    with running("--log", "--unlimited") as emulator:
        rekognition = emulator.client()
        rekognition.list_stream_processors()
        assert code(lambda: rekognition.describe_stream_processor(Name="hall")) == "ResourceNotFoundException"
        control(emulator.url, "POST", "faults", {"faults": [{"fault": "ErrorResponse", "code": "No\nsuch"}]})
        with pytest.raises(ClientError):
            rekognition.stop_stream_processor(Name="hall\n")
    lines = [line.split(" ", 1)[1] for line in emulator.error.splitlines()]
    assert lines == [
        "ListStreamProcessors: 200",
        "DescribeStreamProcessor hall: 400 ResourceNotFoundException",
        r"StopStreamProcessor 'hall\n': 400 'No\nsuch', injected ErrorResponse",
    ]


@pytest.mark.parametrize("is_unlimited", [False, True])
def test_quotas_are_disabled_only_with_the_option(*, is_unlimited: bool) -> None:
    with running(*["--unlimited"] * is_unlimited, "--clock", "manual") as emulator:
        rekognition = emulator.client()
        codes = [code(lambda: rekognition.stop_stream_processor(Name="hall")) for _ in range(10)]
    assert codes[0] == "ResourceNotFoundException"
    assert (set(codes) == {"ResourceNotFoundException"}) is is_unlimited


def test_pages_of_each_allowed_origin_are_served() -> None:
    origins = ("http://localhost:3000", "http://localhost:8080")
    with running("--allow-origin", origins[0], "--allow-origin", origins[1]) as emulator:
        for origin in origins:
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            request = urllib.request.Request(emulator.url, method="OPTIONS", headers=headers)  # noqa: S310
            with urllib.request.urlopen(request) as response:  # noqa: S310
                assert response.headers["Access-Control-Allow-Origin"] == origin


# ------------------------------------------------------------------------------------------------------- option files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the option files of the documentation."""
    blocks = documented("toml")
    for block in blocks:
        (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == len(blocks) == 6
    return tmp_path


def test_documented_option_files_take_effect(files: Path) -> None:
    (line,) = (block for block in documented("shell") if "limits.toml" in block)
    arguments = shlex.split(line)
    assert arguments[:2] == ["aiorekostream", "emulator"]
    options = [str(files / argument) if argument.endswith(".toml") else argument for argument in arguments[2:]]
    with running(*options, "--speed", "1000") as emulator:
        rekognition = emulator.client("AKIADOORS", "the-secret-of-the-doors")
        described = rekognition.describe_stream_processor(Name="hall")
        assert described["StreamProcessorArn"].split(":")[3:5] == ["us-east-1", "111122223333"]
        for _ in range(2):
            assert code(lambda: rekognition.start_stream_processor(Name="hall")) == "ThrottlingException"
        rekognition.start_stream_processor(Name="hall")
        while (status := rekognition.describe_stream_processor(Name="hall"))["Status"] == "STARTING":
            pass
        assert (status["Status"], status["StatusMessage"]) == ("FAILED", "Collection not found")
        assert code(lambda: emulator.client("AKIADOORS", "wrong").list_stream_processors()) == (
            "InvalidSignatureException"
        )
        assert code(emulator.client("any").list_stream_processors) == "UnrecognizedClientException"
        lobby = emulator.client("AKIALOBBY", "the-secret-of-the-lobby", "us-west-2")
        door = lobby.describe_stream_processor(Name="door")
        assert lobby.list_tags_for_resource(ResourceArn=door["StreamProcessorArn"])["Tags"] == {"floor": "0"}
        allowed = control(emulator.url, "GET", "dependency_faults")
        assert (allowed["missing_collections"], allowed["denied_buckets"]) == (["staff"], ["*-archive"])


# For each option: contents of its file that are invalid, with what the error says.
INVALID_FILES = {
    "limits": {
        "max_processors = 5": "max_processors: must be left out",
        "max_labels = 0": "max_labels: must be a whole number",
        "[quotas]\nStartProcessor = { rate = 1, burst = 1 }": "quotas.StartProcessor: must be given for one of",
        "[quotas]\nStartStreamProcessor = { rate = 1 }": "quotas.StartStreamProcessor.burst: must be",
        "[quotas]\nStopStreamProcessor = { rate = 1, burst = 1, max = 3 }": "StopStreamProcessor.max: must be",
        "[quotas]\nStopStreamProcessor = 3": "quotas.StopStreamProcessor: must be a table",
        "quotas = 3": "quotas: must be a table",
        "max_labels = =": "line 1",
        f"a = {'[' * 3000}{']' * 3000}": "recursion",
    },
    "credentials": {
        "": "at least one access key",
        "[AKIA]\nsecret = 'hunter2'": "AKIA.secret: must be left out",
        "[AKIA]\nsecret_access_key = 5": "AKIA.secret_access_key: must be a string",
        "[AKIA]\nsecret_access_key = 'x'\naccount = '12'": "AKIA.account: must be an account id",
        "AKIA = 'hunter2'": "AKIA: must be a table",
    },
    "faults": {
        "[[fault]]\nfault = 'Throttle'": "fault: must be left out",
        "[[faults]]\nfault = 'Throttle'\nmany = 3": "faults[0].many: must be one of",
        "[[faults]]\nfault = 'Hang'\n[[faults]]\nfault = 'Fire'": "faults[1]: must be",
        "[dependency_faults]\nroles = ['x']": "dependency_faults.roles: must be one of",
        "dependency_faults = 3": "dependency_faults: must be a table",
    },
    "footage": {
        "": "either 'appearances' or 'random'",
        "appearances = 3": "appearances: must be a list",
        "[[appearances]]\nat = 2": "appearances[0].subject: must be PERSON, PET or PACKAGE",
        "[[appearances]]\nsubject = 'PET'\nbox = 3": "appearances[0].box: must be one of",
        "[[appearances]]\nsubject = 'PET'\nbounding_box = { left = 0.1 }": "appearances[0].bounding_box.top: must be",
        "[random]\nseed = 'x'": "random.seed: must be a whole number",
        "[[random.known_faces]]\nsimilarity = 5": "random.known_faces[0].face_id: must be text",
        "[[appearances]]\nsubject = 'PERSON'\nface.known_faces = [{ face_id = 'a', like = 5 }]": (
            "appearances[0].face.known_faces[0].like: must be one of"
        ),
    },
    "processors": {
        "[[processor]]": "processor: must be left out",
        "processors = 3": "processors: must be one or more tables",
        "[[processors]]\nregion = 3": "processors[0].region: must be a string",
    },
}


@pytest.mark.parametrize(
    ("option", "content", "expected"),
    [(option, *case) for option, cases in INVALID_FILES.items() for case in cases.items()],
)
def test_invalid_option_file_is_an_error_that_names_the_key(
    option: str, content: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "options.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        READERS[option](path)
    assert f"cannot use {path}" in str(caught.value)
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_byte_order_mark_of_an_option_file_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("max_tags = 7", encoding="utf-8-sig")
    assert read_limits(path).max_tags == 7


@pytest.mark.parametrize("name", ["footage.toml", "random.toml"])
def test_documented_footage_is_seen(files: Path, name: str) -> None:
    options = ["--processors", str(files / "processors.toml"), "--footage", str(files / name), "--speed", "100"]
    with running(*options, "--raw-delivery") as emulator:
        lobby = emulator.client("AKIALOBBY", region="us-west-2")
        sqs = boto3.client(
            "sqs",
            region_name="us-west-2",
            endpoint_url=emulator.url,
            aws_access_key_id="AKIALOBBY",
            aws_secret_access_key="any",
        )
        lobby.start_stream_processor(
            Name="door",
            StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": 1_655_930_623_123}},
            StopSelector={"MaxDurationInSeconds": 60},
        )
        url = sqs.get_queue_url(QueueName="door")["QueueUrl"]
        found: list[dict[str, Any]] = []
        while not found or "labels" in found[-1]:
            received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            found += [json.loads(message["Body"]) for message in received["Messages"]]
        assert {event["labels"][0]["name"] for event in found[:-1]} == {"PERSON", "PACKAGE"}
        sqs.close()


def test_command_rejects_a_remote_server_unless_allowed() -> None:
    status, written = refused("--deliver-to", "http://192.0.2.1:5000")
    assert status == 1
    assert "--allow-remote" in written


def test_command_prints_the_endpoints_of_its_services() -> None:
    with running("--allow-host", "emulator") as emulator:
        control(emulator.url, "GET", "health")
    assert emulator.endpoints == ["SQS", "S3", "KINESIS"]
    with running("--deliver-to", "http://127.0.0.1:1") as emulator:
        control(emulator.url, "GET", "health")
    assert emulator.endpoints == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "No such file"), ("[[processors]]\nName = 'hall'\nInputs = 3", "'hall': InvalidParameterException")],
)
def test_command_ends_without_traceback_when_a_file_is_invalid(
    content: str | None, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "processors.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status, written = refused("--processors", str(path))
    assert status == 1
    assert written.startswith("aiorekostream: cannot ")
    assert expected in written
    assert "Traceback" not in written


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_documented_requests_of_other_languages_work() -> None:
    command, requests = (block for block in documented("shell") if "--record" in block or "curl" in block)
    arguments = shlex.split(command)
    assert arguments[:4] == ["aiorekostream", "emulator", "--port", "4599"]
    with running(*arguments[4:]) as emulator:
        lines = requests.replace("http://127.0.0.1:4599", emulator.url).splitlines()
        assert len(lines) == 9
        answers = [
            subprocess.run([*shlex.split(line), "-sS", "--fail-with-body"], capture_output=True, check=False)
            for line in lines
        ]
        assert [answer.returncode for answer in answers] == [0] * 9, answers
        now = [json.loads(answers[index].stdout)["now"] for index in (0, 5)]
        assert now[1] - now[0] == 30
