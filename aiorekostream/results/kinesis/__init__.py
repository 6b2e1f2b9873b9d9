"""Consume the records of face searches from Kinesis Data Streams."""
