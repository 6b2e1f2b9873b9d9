from collections.abc import Mapping

class Config:
    connect_timeout: float
    max_pool_connections: int
    read_timeout: float
    retries: dict[str, int | str]
    signature_version: object
    def __init__(
        self,
        *,
        connect_timeout: float = ...,
        max_pool_connections: int = ...,
        read_timeout: float = ...,
        region_name: str = ...,
        retries: Mapping[str, int | str] = ...,
    ) -> None: ...
    def merge(self, other_config: Config) -> Config: ...
