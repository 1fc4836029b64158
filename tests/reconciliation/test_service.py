"""RunReconciliation and ListReconciliationBreaks as staff call them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import ErrorCode, InvalidRequestError
from protos.operations.v1 import operations_service_pb2 as pb
from services.payments.mapping import datetime_of, timestamp
from services.payments.servicers.operations import OperationsServicer
from tests.operations.stories import PRICE, bought
from tests.reconciliation.listing import TODAY, Books
from tests.reconciliation.test_healing import listed
from tests.unit.factories import NOW


def run_request(
    start: datetime | None = TODAY.start, end: datetime | None = TODAY.end, **changes: Any
) -> pb.RunReconciliationRequest:
    values = {"gateway": "eversend", "idempotency_key": "run-1"} | changes
    times: dict[str, Any] = {"from": timestamp(start), "to": timestamp(end)}
    return pb.RunReconciliationRequest(**values, **times)


async def page(books: Books, **values: Any) -> pb.ListReconciliationBreaksResponse:
    servicer = OperationsServicer(books.deps)
    request = pb.ListReconciliationBreaksRequest(**values)
    reply: pb.ListReconciliationBreaksResponse = await servicer.ListReconciliationBreaks(
        request, None
    )
    return reply


async def test_a_run_answers_with_its_figures(books: Books) -> None:
    await books.lists_sale(await bought(books.suite))
    books.lists.rows.append(listed("foreign1", "tx-foreign"))
    reply = await OperationsServicer(books.deps).RunReconciliation(run_request(), None)
    assert (reply.compared_count, reply.break_count, reply.healed_count) == (2, 1, 0)
    (balance,) = reply.clearing_balances
    assert (balance.currency_code, balance.amount_minor) == ("UGX", PRICE.minor)
    assert reply == await OperationsServicer(books.deps).RunReconciliation(run_request(), None)


async def test_a_break_is_told_with_all_that_is_known_of_it(books: Books) -> None:
    payment = await bought(books.suite)
    row = await books.lists_sale(payment, reference="foreign1")
    await books.run()
    (one,) = (await page(books)).breaks
    assert (one.kind, one.gateway, one.status) == ("wrong_reference", "eversend", "open")
    assert (one.payment_id, one.gateway_transaction_id) == (str(payment.id), row.transaction_id)
    assert one.reference == payment.gateway_reference
    assert "foreign1" in one.summary
    assert datetime_of(one.find_time) == NOW
    assert one.break_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gateway": ""}, "gateway"),
        ({"gateway": "stripe"}, "gateway"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"start": None}, "from"),
        ({"end": None}, "to"),
        ({"end": TODAY.start}, "to"),
        ({"end": TODAY.start - timedelta(days=1)}, "to"),
        ({"end": TODAY.start + timedelta(days=31, microseconds=1)}, "to"),
        ({"start": datetime(1999, 12, 31, tzinfo=NOW.tzinfo)}, "from"),
        ({"end": datetime(9999, 12, 31, tzinfo=NOW.tzinfo)}, "to"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    books: Books, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        await OperationsServicer(books.deps).RunReconciliation(run_request(**changes), None)
    assert raised.value.code is ErrorCode.INVALID_ARGUMENT
    assert field in {violation.field for violation in raised.value.violations}
    assert books.lists.windows == []


async def test_a_period_of_thirty_one_days_is_not_too_long(books: Books) -> None:
    request = run_request(end=TODAY.start + timedelta(days=31))
    reply = await OperationsServicer(books.deps).RunReconciliation(request, None)
    assert reply.run_id


async def test_breaks_are_listed_newest_first_page_by_page(books: Books) -> None:
    for number in range(7):
        books.suite.clock.advance(60)
        books.lists.rows.append(listed(f"foreign{number}", f"tx-{number}"))
        await books.run(f"run-{number}")
    seen: list[str] = []
    token = ""
    while True:
        reply = await page(books, page_size=3, page_token=token)
        seen += [each.gateway_transaction_id for each in reply.breaks]
        token = reply.next_page_token
        if not token:
            break
    assert seen == [f"tx-{number}" for number in reversed(range(7))]


async def test_breaks_found_at_the_same_moment_are_each_listed_once(books: Books) -> None:
    books.lists.page_size = 100
    books.lists.rows = [listed(f"foreign{number}", f"tx-{number}") for number in range(9)]
    await books.run()
    first = await page(books, page_size=4)
    second = await page(books, page_size=4, page_token=first.next_page_token)
    third = await page(books, page_size=4, page_token=second.next_page_token)
    seen = [
        each.gateway_transaction_id for reply in (first, second, third) for each in reply.breaks
    ]
    assert sorted(seen) == [f"tx-{number}" for number in range(9)]
    assert not third.next_page_token


async def test_breaks_are_listed_by_gateway_and_status(books: Books) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, at=TODAY.start - timedelta(seconds=1))
    books.lists.rows.append(listed("foreign1", "tx-foreign"))
    await books.run()
    for filters, kinds in (
        ({"status": "open"}, ["missing_here"]),
        ({"status": "healed"}, ["day_boundary"]),
        ({"gateway": "eversend", "status": "open"}, ["missing_here"]),
        ({"gateway": "flutterwave"}, []),
    ):
        assert [each.kind for each in (await page(books, **filters)).breaks] == kinds


@pytest.mark.parametrize("values", [{"status": "closed"}, {"page_token": "x"}, {"page_size": -1}])
async def test_a_list_that_makes_no_sense_is_refused(books: Books, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        await page(books, **values)


async def test_a_page_token_of_another_list_is_refused(books: Books) -> None:
    books.lists.rows = [listed("foreign1", "tx-1"), listed("foreign2", "tx-2")]
    await books.run()
    token = (await page(books, page_size=1)).next_page_token
    with pytest.raises(InvalidRequestError):
        await page(books, page_size=1, page_token=token, status="open")
