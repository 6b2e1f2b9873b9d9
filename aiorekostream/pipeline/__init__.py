"""Take every call along one path.

::

    value -> encode -> [ acquire permit -> send -> map error -> classify ]* -> decode -> value
             codec       rate_limiting     transport            retry          codec

Every attempt is rate limited, and every answer is reported to the rate limiter. Nothing else in the package sends
anything to Amazon Rekognition.

- ``pipeline``: the path, with all retries of a call.
- ``failures``: the failed attempts of a call, whether each is made again, and the error of an unknown outcome.
- ``trace``: the progress of a call, which its caller reads.
- ``log``: what a call writes to the log.
"""

from aiorekostream.pipeline.failures import cancel_permit, unknown_error
from aiorekostream.pipeline.pipeline import Pipeline, Recover
from aiorekostream.pipeline.trace import CallEvent, CallTrace, LostAttempt

__all__ = ["CallEvent", "CallTrace", "LostAttempt", "Pipeline", "Recover", "cancel_permit", "unknown_error"]
