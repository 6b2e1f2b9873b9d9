"""Send requests: the transport port, and its implementation on aiobotocore."""
