"""Servicers that check requests and go no further: reaching storage means "accepted"."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.errors import FieldViolation, InvalidRequestError
from services.payments.ports import Work
from services.payments.servicers.gateway_events import GatewayEventsServicer
from services.payments.servicers.payments import PaymentsServicer
from tests.unit.described_gateways import DescribedGateways
from tests.unit.factories import make_dependencies


class AcceptedError(Exception):
    """The request passed every check."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """The storage, wake-ups and feed of a servicer that ends where its checks end."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        raise AcceptedError

    def changes(self, payment_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        raise AcceptedError(payment_id)

    def payment_changed(self, payment_id: UUID) -> None:
        raise AcceptedError(payment_id)

    def event_recorded(self) -> None:
        raise AcceptedError

    def attempt_due(self) -> None:
        raise AcceptedError


async def violations_of(
    method: str, request: Message, *, https_only: bool = False
) -> Sequence[FieldViolation]:
    """Call a method of the payments or gateway-events service; return what it refuses.

    Nothing when it accepts the request. `https_only`: as outside development.
    """
    deps = make_dependencies(Unreached(), Unreached(), DescribedGateways(capabilities={}))
    servicers: list[Any] = [
        PaymentsServicer(
            deps, Unreached(), "https://creators.example/return", https_only=https_only
        ),
        GatewayEventsServicer(deps),
    ]
    [servicer] = [each for each in servicers if method in vars(type(each))]
    try:
        await getattr(servicer, method)(request, None)
    except InvalidRequestError as error:
        return error.violations
    except AcceptedError:
        return ()
    raise AssertionError(f"{method} neither refused nor accepted the request")
