from collections.abc import Mapping

from botocore.config import Config
from botocore.hooks import BaseEventHooks

class ClientMeta:
    config: Config
    endpoint_url: str
    events: BaseEventHooks
    method_to_api_mapping: Mapping[str, str]
    region_name: str
