from typing import ClassVar

from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

AUTH_TYPE_MAPS: dict[str, type[BaseSigner]]
SIGNED_HEADERS_BLACKLIST: list[str]
SIGV4_TIMESTAMP: str

class BaseSigner:
    REQUIRES_REGION: ClassVar[bool]
    def add_auth(self, request: AWSRequest) -> None: ...

class SigV4Auth(BaseSigner):
    credentials: ReadOnlyCredentials | None
    _region_name: str
    _service_name: str
    def __init__(self, credentials: ReadOnlyCredentials | None, service_name: str, region_name: str) -> None: ...
