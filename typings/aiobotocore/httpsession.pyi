import contextlib
import ssl
from typing import Any

import aiohttp
from botocore.httpsession import ProxyConfiguration

class AIOHTTPSession:
    _cert_file: str | None
    _connector_args: dict[str, Any]
    _exit_stack: contextlib.AsyncExitStack
    _key_file: str | None
    _max_pool_connections: int
    _proxy_config: ProxyConfiguration
    _sessions: dict[str | None, aiohttp.ClientSession]
    _timeout: aiohttp.ClientTimeout
    _verify: bool | str
    def __init__(self, *arguments: Any, **options: Any) -> None: ...
    def _create_connector(self, proxy_url: str | None) -> object: ...
    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession: ...
    def _get_ssl_context(self) -> ssl.SSLContext: ...
    def _setup_proxy_ssl_context(self, proxy_url: str) -> ssl.SSLContext | None: ...
