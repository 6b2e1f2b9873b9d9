"""Parse the requests of Rekognition, identify their callers, and execute their operations. Never awaits.

The order of the checks is AWS's as far as it is known: operation, caller, body, injected faults (applied by
``rekognition``), quotas, validation against the model, and the state of the world.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.http.signatures import check_signature, read_signature
from aiorekostream.emulator.http.wire import HttpRequest, operation_in, read_object, unknown_operation
from aiorekostream.emulator.world import OPERATIONS, World
from aiorekostream.emulator.world.answers import BLANK_DENIAL, INTERNAL_FAILURE, JsonObject, Refusal, Success, refuse
from aiorekostream.emulator.world.identity import Caller, account_for_key, processor_name
from aiorekostream.emulator.world.model_validator import ModelValidator
from aiorekostream.emulator.world.quotas import Quotas

if TYPE_CHECKING:
    from aiorekostream.emulator.world.answers import OperationResult

__all__ = ["Dispatcher", "ParsedRequest"]


@attrs.frozen(kw_only=True)
class ParsedRequest:
    """A request with a known operation and a known caller.

    Attributes:
        operation: AWS's name of the operation.
        name: the name of the stream processor; empty if the request has none.
        caller: the caller's account and Region.
        members: the members of the JSON body.
    """

    operation: str
    name: str
    caller: Caller
    members: JsonObject


@attrs.define(kw_only=True)
class Dispatcher:
    """Parse requests and execute them against the world.

    Attributes:
        world: the emulated state.
        validator: validates requests and responses against the model.
        quotas: the request quotas.
        accounts: account ids by access key; the account of any other key is derived from the key.
        secrets: secret keys by access key; None disables the check of signatures.
        checks_answers: whether the emulator's own responses are validated against the model too.
    """

    world: World
    validator: ModelValidator
    quotas: Quotas
    accounts: Mapping[str, str]
    secrets: Mapping[str, str] | None
    checks_answers: bool

    def parse(self, request: HttpRequest) -> ParsedRequest:
        """Parse a request and identify its caller.

        Raises:
            RefusedError: the operation is unknown, the signature is missing or invalid, or the body is not JSON.
        """
        head, headers = request.head, request.head.headers
        if head.method != "POST" or head.path != "/":
            raise refuse(unknown_operation("Requests are POST /."))
        operation = operation_in(headers.get("x-amz-target"), headers.get("content-type", ""))
        if operation not in OPERATIONS:
            raise refuse(unknown_operation(f"The emulator has no operation {operation[:100]!r}."))
        signature = read_signature(headers.get("authorization"))
        if self.secrets is not None:
            check_signature(signature, secrets=self.secrets, headers=headers, body=request.body, now=request.wall)
        # Interned: the call log keeps it for every call.
        operation = sys.intern(operation)
        caller = self.caller(signature.credential.access_key, signature.credential.region)
        members = read_object(request.body)
        return ParsedRequest(operation=operation, name=_name_in(members), caller=caller, members=members)

    def caller(self, access_key: str, region: str) -> Caller:
        """Return the account of an access key in a Region."""
        return Caller(self.accounts.get(access_key) or account_for_key(access_key), sys.intern(region))

    def execute(self, request: ParsedRequest, now: float) -> OperationResult:
        """Check the quota, validate the request and execute its operation."""
        if not self.world.supports_region(request.caller.region):
            return BLANK_DENIAL
        refusal = self.quotas.refusal(request.caller, request.operation, now)
        if refusal is None:
            refusal = self.validator.request_error(request.operation, request.members)
        if refusal is not None:
            return refusal
        result = self.world.serve(request.caller, request.operation, request.members, now)
        if self.checks_answers and isinstance(result, Success):
            error = self.validator.response_error(request.operation, result.body or {})
            if error is not None:
                return Refusal(INTERNAL_FAILURE.code, f"The emulator is wrong: {error}", INTERNAL_FAILURE.status)
        return result

    def create(self, caller: Caller, members: JsonObject, now: float) -> OperationResult:
        """Execute CreateStreamProcessor without a quota."""
        operation = "CreateStreamProcessor"
        refusal = self.validator.request_error(operation, members)
        return refusal or self.world.serve(caller, operation, members, now)


def _name_in(members: JsonObject) -> str:
    name, arn = members.get("Name"), members.get("ResourceArn")
    if isinstance(name, str):
        return name
    return (processor_name(arn) or "") if isinstance(arn, str) else ""
