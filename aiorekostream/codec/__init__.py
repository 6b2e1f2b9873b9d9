"""Convert values to AWS's JSON and back; the only package that knows AWS's spelling and that imports cattrs."""

from aiorekostream.codec.decode import decode
from aiorekostream.codec.encode import encode, processor_in, to_boto3
from aiorekostream.codec.notifications import parse_notification
from aiorekostream.codec.parse import parse_processor, parse_start

__all__ = ["decode", "encode", "parse_notification", "parse_processor", "parse_start", "processor_in", "to_boto3"]
