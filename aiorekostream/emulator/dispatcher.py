"""The desk: takes a request apart, finds out who calls, and has it carried out. It decides and never awaits.

The order is AWS's as far as it can be told: operation, caller, body, then the scripted faults (which the HTTP side
plays), then quotas, form and the world.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.answers import INTERNAL_FAILURE, JsonObject, Refusal, Success, refuse
from aiorekostream.emulator.callers import Caller, account_of
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.referee import Referee
from aiorekostream.emulator.resources import processor_named
from aiorekostream.emulator.signatures import check_signature, read_signature
from aiorekostream.emulator.wire import operation_in, read_object, unknown_operation
from aiorekostream.emulator.world import OPERATIONS, World

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import Answer

__all__ = ["Dispatcher", "Incoming", "ParsedRequest"]


@attrs.frozen(kw_only=True)
class Incoming:
    """An HTTP request.

    Attributes:
        method: the HTTP method.
        path: the path with the query.
        headers: every header by its name in lower case.
        body: the body.
        wall: the real time, in UTC.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    wall: datetime.datetime


@attrs.frozen(kw_only=True)
class ParsedRequest:
    """A request that says what it wants.

    Attributes:
        operation: AWS's name of the operation.
        name: the name of the stream processor, empty where there is none.
        caller: who calls, and where.
        members: the request as JSON says it.
    """

    operation: str
    name: str
    caller: Caller
    members: JsonObject


@attrs.define(kw_only=True)
class Dispatcher:
    """Everything that is decided about a request.

    Attributes:
        world: the world.
        referee: holds requests against the model.
        quotas: the rates that are allowed.
        accounts: the account of an access key, where it is not to be derived from the key.
        secrets: the secret of each access key, where signatures are to be checked; None where they are not.
        checks_answers: whether the emulator's own answers are held against the model as well.
    """

    world: World
    referee: Referee
    quotas: Quotas
    accounts: Mapping[str, str]
    secrets: Mapping[str, str] | None
    checks_answers: bool

    def read(self, incoming: Incoming) -> ParsedRequest:
        """Find out what a request wants.

        Raises:
            RefusedError: it cannot be told, or the caller is nobody.
        """
        headers = incoming.headers
        if incoming.method != "POST" or incoming.path != "/":
            raise refuse(unknown_operation("Requests are POST /."))
        operation = operation_in(headers.get("x-amz-target"), headers.get("content-type", ""))
        if operation not in OPERATIONS:
            raise refuse(unknown_operation(f"The emulator has no operation {operation!r}."))
        signature = read_signature(headers.get("authorization"))
        if self.secrets is not None:
            check_signature(signature, secrets=self.secrets, headers=headers, body=incoming.body, now=incoming.wall)
        key = signature.credential.access_key
        caller = Caller(self.accounts.get(key) or account_of(key), signature.credential.region)
        members = read_object(incoming.body)
        return ParsedRequest(operation=operation, name=_name_in(members), caller=caller, members=members)

    def carry_out(self, order: ParsedRequest, now: float) -> Answer:
        """Admit the request, check its form and let the world answer."""
        refusal = self.quotas.refusal(order.caller, order.operation, now)
        if refusal is None and self.world.offered(order.caller.region):
            refusal = self.referee.refusal(order.operation, order.members)
        if refusal is not None:
            return refusal
        answer = self.world.serve(order.caller, order.operation, order.members, now)
        if self.checks_answers and isinstance(answer, Success):
            mistake = self.referee.mistake(order.operation, answer.body or {})
            if mistake is not None:
                return Refusal(INTERNAL_FAILURE.code, f"The emulator is wrong: {mistake}", INTERNAL_FAILURE.status)
        return answer


def _name_in(members: JsonObject) -> str:
    name, arn = members.get("Name"), members.get("ResourceArn")
    if isinstance(name, str):
        return name
    return (processor_named(arn) or "") if isinstance(arn, str) else ""
