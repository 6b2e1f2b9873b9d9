from collections.abc import Mapping

from aiobotocore.httpsession import AIOHTTPSession
from botocore.config import Config

class AioConfig(Config):
    def __init__(
        self,
        *,
        client_cert: str | tuple[str, str] | None = ...,
        connect_timeout: float = ...,
        http_session_cls: type[AIOHTTPSession] = ...,
        max_pool_connections: int = ...,
        parameter_validation: bool = ...,
        proxies: Mapping[str, str] | None = ...,
        proxies_config: Mapping[str, object] | None = ...,
        read_timeout: float = ...,
        retries: Mapping[str, int | str] = ...,
        s3: Mapping[str, str] | None = ...,
        signature_version: object = ...,
        user_agent: str = ...,
        user_agent_extra: str = ...,
    ) -> None: ...
