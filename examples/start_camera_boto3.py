import sys
import time

import boto3


def main(name: str) -> None:
    rekognition = boto3.client("rekognition")
    session = rekognition.start_stream_processor(
        Name=name,
        StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": int(time.time() * 1000)}},
        StopSelector={"MaxDurationInSeconds": 30},
    )
    while (processor := rekognition.describe_stream_processor(Name=name))["Status"] == "STARTING":
        time.sleep(5)
    if processor["Status"] == "FAILED":
        raise RuntimeError(processor.get("StatusMessage"))
    print(session["SessionId"], processor["Status"])


main(sys.argv[1])
