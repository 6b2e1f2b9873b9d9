class ThrottledRetryableChecker:
    _THROTTLED_ERROR_CODES: list[str]

class TransientRetryableChecker:
    _TRANSIENT_ERROR_CODES: list[str]
