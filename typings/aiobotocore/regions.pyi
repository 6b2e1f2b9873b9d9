class AioEndpointRulesetResolver:
    async def construct_endpoint(
        self, operation_model: object, call_args: object, request_context: object
    ) -> object: ...
