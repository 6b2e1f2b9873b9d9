from collections.abc import Mapping

from botocore.compat import HTTPHeaders

class AWSRequest:
    method: str
    url: str
    headers: HTTPHeaders
    data: object
    params: Mapping[str, str]
    context: dict[str, object]
    def __init__(
        self,
        method: str = ...,
        url: str = ...,
        headers: Mapping[str, str] | None = ...,
        data: object = ...,
        params: Mapping[str, str] | None = ...,
    ) -> None: ...
