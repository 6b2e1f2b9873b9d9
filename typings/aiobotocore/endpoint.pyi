from collections.abc import Awaitable

from botocore.model import OperationModel

class AioEndpoint:
    def make_request(self, operation_model: OperationModel, request_dict: object) -> Awaitable[object]: ...
