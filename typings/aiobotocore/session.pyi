from types import TracebackType

from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials
from botocore.session import Session

class ClientCreatorContext:
    async def __aenter__(self) -> AioBaseClient: ...
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None: ...

class AioSession(Session):
    def create_client(
        self,
        service_name: str,
        region_name: str | None = None,
        *,
        endpoint_url: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        config: AioConfig | None = None,
    ) -> ClientCreatorContext: ...
    async def get_credentials(self) -> AioCredentials | None: ...

def get_session() -> AioSession: ...
