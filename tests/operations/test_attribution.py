"""Callbacks that match no payment: staff say whose they are, the gateway what they are worth."""

import asyncio
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from kit.money import Money
from protos.operations.v1 import operations_service_pb2 as pb
from services.payments.domain.errors import CommitUnknownError
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import Payment
from services.payments.domain.states import PaymentStatus
from services.payments.servicers.operations import OperationsServicer
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Operation, Step, by_transaction, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    alerts,
    bought,
    cancelled,
    failed,
    look_up,
    money_goes_back,
    paid,
    refused,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, refusal

STRANGE = "tx-strange"
ITS_OWN = "their-own-reference"


async def strange(suite: Suite, payment: Payment, key: str = "strange", **changes: str) -> UUID:
    """Have a callback come whose reference nobody knows; return its identifier."""
    attempt = await suite.newest_attempt(payment.id)
    about = {"reference": ITS_OWN, "gateway_transaction_id": STRANGE} | changes
    event_id = await suite.deliver(attempt, key=key, **about)
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    return event_id


def behind(suite: Suite, step: Step) -> None:
    """Let the gateway say what is behind the strange transaction, and nothing new otherwise."""
    suite.gateways.always(Operation.LOOK_UP, by_transaction({STRANGE: step}, NOBODY_PAYS))


def money(**changes: object) -> Step:
    return paid(**({"reference": ITS_OWN} | changes))


async def test_the_money_behind_a_callback_buys_the_payment_that_staff_name(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money(fee=Money("UGX", 500)))
    event = await suite.attribute(event_id, payment)
    assert event.status == "processed"
    after = await suite.payment(payment.id)
    assert after.status is PaymentStatus.COMPLETED
    assert after.gateway_transaction_id == STRANGE
    assert await uses(suite, payment) == ["kept"]
    row = await suite.event_row(event_id)
    assert (row["status"], row["payment_id"]) == ("processed", payment.id)
    assert "event_attributed" in [entry.action for entry in await suite.history(payment.id)]
    (asked,) = suite.gateways.made(Operation.LOOK_UP)
    assert (asked.transaction_id, asked.reference) == (STRANGE, "")


async def test_a_callback_without_a_transaction_is_asked_about_by_its_own_reference(
    suite: Suite,
) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment, gateway_transaction_id="")
    suite.gateways.always(Operation.LOOK_UP, money(gateway_transaction_id=STRANGE))
    await suite.attribute(event_id, payment)
    assert suite.gateways.made(Operation.LOOK_UP)[0].reference == ITS_OWN
    assert await uses(suite, payment) == ["kept"]


async def test_the_inbox_shows_it_until_it_is_attributed(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    service, request = OperationsServicer(suite.deps), pb.ListUnattributedEventsRequest()
    listed = await service.ListUnattributedEvents(request, None)
    assert [each.gateway_event_id for each in listed.gateway_events] == [str(event_id)]
    assert listed.total_count == 1
    behind(suite, money())
    answer = await service.AttributeEvent(
        pb.AttributeEventRequest(
            gateway_event_id=str(event_id), payment_id=str(payment.id), idempotency_key="key"
        ),
        None,
    )
    assert answer.gateway_event.payment_id == str(payment.id)
    assert answer.gateway_event.status == "processed"
    assert (await service.ListUnattributedEvents(request, None)).total_count == 0


@pytest.mark.parametrize(
    "amount", [Money("UGX", 34_999), Money("KES", 3_500_000)], ids=["too little", "currency"]
)
async def test_money_that_does_not_fit_waits_for_a_review(suite: Suite, amount: Money) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money(amount=amount))
    with capture_logs() as logs:
        await suite.attribute(event_id, payment)
    assert alerts(logs) == ["held_for_review"]
    assert await uses(suite, payment) == ["held"]
    assert (await suite.membership()).tier == FREE_TIER


async def test_more_than_the_price_grants_and_the_excess_goes_back(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money(amount=Money("UGX", 36_000)))
    await suite.attribute(event_id, payment)
    await money_goes_back(suite)
    assert await surplus_of(suite, payment) == [(Money("UGX", 1_000), "succeeded")]


NEEDLESS = {"completed": bought, "cancelled": cancelled}


@pytest.mark.parametrize("story", NEEDLESS)
async def test_money_for_a_payment_that_does_not_need_it_goes_back(
    suite: Suite, story: str
) -> None:
    payment = await NEEDLESS[story](suite)
    event_id = await strange(suite, payment)
    behind(suite, money())
    await suite.attribute(event_id, payment)
    await money_goes_back(suite)
    assert (await suite.payment(payment.id)).status is payment.status
    assert await surplus_of(suite, payment) == [(PRICE, "succeeded")]


NO_MONEY = [
    (reply(Answer.PENDING), "NO_MONEY_FOUND"),
    (reply(Answer.FAILED), "NO_MONEY_FOUND"),
    (reply(Answer.NOT_FOUND), "NO_MONEY_FOUND"),
    (paid(gateway_transaction_id=""), "NO_MONEY_FOUND"),
    (reply(Answer.UNKNOWN), "GATEWAY_NOT_REACHABLE"),
    (reply(Answer.NOT_SENT), "GATEWAY_NOT_REACHABLE"),
    (reply(Answer.NOT_CREATED), "GATEWAY_NOT_REACHABLE"),
]


@pytest.mark.parametrize(("said", "reason"), NO_MONEY)
async def test_without_money_behind_it_the_callback_stays_in_the_inbox(
    suite: Suite, said: Step, reason: str
) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, said)
    assert await refused(suite.attribute(event_id, payment)) == reason
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    assert await suite.payment(payment.id) == payment
    behind(suite, money())
    await suite.attribute(event_id, payment)
    assert await uses(suite, payment) == ["kept"]


async def test_a_payment_without_an_attempt_at_that_gateway_cannot_own_it(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment, gateway="flutterwave")
    assert await refused(suite.attribute(event_id, payment)) == "NO_MONEY_FOUND"
    assert suite.gateways.made(Operation.LOOK_UP) == []


async def test_the_same_key_gets_the_same_answer_and_counts_once(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money())
    answer = await suite.attribute(event_id, payment)
    assert await suite.attribute(event_id, payment) == answer
    assert await uses(suite, payment) == ["kept"]


async def test_what_is_attributed_is_not_attributed_again(suite: Suite) -> None:
    payment = await suite.create()
    other = await suite.create(by_card(user_id="member-2", idempotency_key="key-2"))
    event_id = await strange(suite, payment)
    behind(suite, money())
    await suite.attribute(event_id, payment)
    for number, target in enumerate((payment, other)):
        again = suite.attribute(event_id, target, key=f"again {number}")
        assert await refused(again) == "EVENT_NOT_UNATTRIBUTED"
    assert await suite.captures(other.id) == []


async def test_a_key_that_was_used_for_another_payment_counts_nothing_for_this_one(
    suite: Suite,
) -> None:
    payment = await suite.create()
    other = await suite.create(by_card(user_id="member-1", tier="starter", idempotency_key="k2"))
    first = await strange(suite, payment)
    behind(suite, money())
    await suite.attribute(first, payment)
    second = await strange(suite, other, key="second", gateway_transaction_id="tx-second")
    suite.gateways.always(Operation.LOOK_UP, money(gateway_transaction_id="tx-second"))
    assert await refused(suite.attribute(second, other)) == "IDEMPOTENCY_KEY_REUSED"
    assert await suite.captures(other.id) == []


async def test_a_callback_that_is_not_there_or_not_strange_is_refused(suite: Suite) -> None:
    payment = await bought(suite)
    attempt = await suite.newest_attempt(payment.id)
    assert await refused(suite.attribute(payment.id, payment)) == "EVENT_NOT_FOUND"
    suite.gateways.always(Operation.LOOK_UP, paid())
    event_id = await suite.deliver(attempt)
    await suite.handle_events()
    assert await refused(suite.attribute(event_id, payment)) == "EVENT_NOT_UNATTRIBUTED"
    assert await uses(suite, payment) == ["kept"]


async def test_money_that_another_payment_of_ours_was_asked_for_is_not_given_away(
    suite: Suite,
) -> None:
    theirs = await suite.create(by_card(user_id="member-2", idempotency_key="key-2"))
    mine = await suite.create()
    event_id = await strange(suite, mine)
    behind(suite, money(reference=theirs.gateway_reference))
    assert await refused(suite.attribute(event_id, mine)) == "NO_MONEY_FOUND"
    assert await suite.captures(mine.id) == []
    found = paid(gateway_transaction_id=STRANGE)
    await look_up(suite, await suite.newest_attempt(theirs.id), found)
    assert (await suite.payment(theirs.id)).status is PaymentStatus.COMPLETED


async def test_money_that_counts_for_another_payment_already_is_not_counted_again(
    suite: Suite,
) -> None:
    theirs = await suite.create(by_card(user_id="member-2", idempotency_key="key-2"))
    found = paid(gateway_transaction_id=STRANGE)
    await look_up(suite, await suite.newest_attempt(theirs.id), found)
    mine = await suite.create()
    event_id = await strange(suite, mine)
    behind(suite, money())
    assert await refused(suite.attribute(event_id, mine)) == "NO_MONEY_FOUND"
    assert await suite.captures(mine.id) == []
    assert (await suite.event_row(event_id))["status"] == "unattributed"


async def test_ten_who_attribute_at_once_count_once(suite: Suite) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money())
    results = await asyncio.gather(
        *(suite.attribute(event_id, payment, key=f"key {number}") for number in range(10)),
        return_exceptions=True,
    )
    assert "" in {refusal(each) for each in results}
    assert {refusal(each) for each in results} <= {
        "",
        "EVENT_NOT_UNATTRIBUTED",
        "REQUEST_IN_PROGRESS",
    }
    assert await uses(suite, payment) == ["kept"]


async def test_two_payments_that_one_callback_is_given_to_at_once_do_not_both_get_its_money(
    suite: Suite,
) -> None:
    mine = await suite.create()
    theirs = await suite.create(by_card(user_id="member-2", idempotency_key="key-2"))
    event_id = await strange(suite, mine)
    behind(suite, money())
    await asyncio.gather(
        suite.attribute(event_id, mine),
        suite.attribute(event_id, theirs, key="attribute-2"),
        return_exceptions=True,
    )
    assert await uses(suite, mine) + await uses(suite, theirs) == ["kept"]


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize("unit", [3, 4])
async def test_wherever_a_commit_breaks_the_money_counts_once(
    suite: Suite, unit: int, *, is_stored: bool
) -> None:
    payment = await suite.create()
    event_id = await strange(suite, payment)
    behind(suite, money())
    storage = BreakingStorage(suite.deps.storage, {unit: Fault(stored=is_stored)})
    process = suite.process(storage=storage)
    (outcome,) = await asyncio.gather(process.attribute(event_id, payment), return_exceptions=True)
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, CommitUnknownError)
        await suite.attribute(event_id, payment)
    assert await uses(suite, payment) == ["kept"]
    assert (await suite.event_row(event_id))["status"] == "processed"


async def test_late_money_of_the_open_page_goes_back_after_a_callback_paid_for_it(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    event_id = await strange(suite, payment)
    behind(suite, money())
    await suite.attribute(event_id, payment)
    await look_up(suite, await suite.newest_attempt(payment.id), paid(gateway_transaction_id="t2"))
    assert await uses(suite, payment) == ["kept", "surplus"]
