class Config:
    connect_timeout: float
    max_pool_connections: int
    read_timeout: float
    retries: dict[str, int | str]
    signature_version: object
