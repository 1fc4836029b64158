"""What adapters list: a row that cannot be read spoils its page, it is never left out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import ErrorCode, ServiceError
from kit.money import Money
from protos.common.v1 import money_pb2
from protos.gateways.v1 import charge_pb2
from protos.gateways.v1 import gateway_service_pb2 as pb
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import Subject
from services.payments.gateway_replies import failed_list, settlement_page, transaction_page
from services.payments.mapping import timestamp
from services.payments.ports import NotListed, SettlementPage, TransactionPage

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)


def ugx(minor: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="UGX", amount_minor=minor)


def transaction(**changes: Any) -> pb.Transaction:
    charge = charge_pb2.Charge(
        reference="cp1", gateway_transaction_id="tx-1", amount=ugx(35_000), fee=ugx(700)
    )
    values: dict[str, Any] = {
        "outcome": charge_pb2.OUTCOME_SUCCEEDED,
        "charge": charge,
        "create_time": timestamp(AT),
        "kind": pb.TRANSACTION_KIND_CHARGE,
    }
    return pb.Transaction(**(values | changes))


def payout(**changes: Any) -> pb.Settlement:
    line = pb.SettlementLine(
        gateway_transaction_id="tx-1", reference="cp1", gross=ugx(35_000), fee=ugx(700)
    )
    values: dict[str, Any] = {
        "settlement_id": "st-1",
        "net": ugx(34_300),
        "gross": ugx(35_000),
        "fees": ugx(700),
        "refunds": ugx(0),
        "chargebacks": ugx(0),
        "settle_time": timestamp(AT),
        "lines": [line],
    }
    return pb.Settlement(**(values | changes))


def test_a_row_is_read_as_it_stands() -> None:
    reply = pb.ListTransactionsResponse(transactions=[transaction()], next_page_token="2")
    page = transaction_page(reply)
    assert isinstance(page, TransactionPage)
    (row,) = page.transactions
    assert (row.subject, row.answer, row.at) == (Subject.CHARGE, Answer.SUCCEEDED, AT)
    assert (row.transaction_id, row.reference) == ("tx-1", "cp1")
    assert (row.amount, row.fee) == (Money("UGX", 35_000), Money("UGX", 700))
    assert page.next_page_token == "2"


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (pb.TRANSACTION_KIND_CHARGE, Subject.CHARGE),
        (pb.TRANSACTION_KIND_REFUND, Subject.REFUND),
        (pb.TRANSACTION_KIND_CHARGEBACK, Subject.CHARGEBACK),
    ],
)
def test_every_kind_of_row_is_known(kind: pb.TransactionKind.ValueType, subject: Subject) -> None:
    row = transaction(kind=kind, charge_transaction_id="tx-0")
    page = transaction_page(pb.ListTransactionsResponse(transactions=[row]))
    assert isinstance(page, TransactionPage)
    assert page.transactions[0].subject is subject
    assert page.transactions[0].charge_transaction_id == "tx-0"


def test_every_kind_of_the_contract_is_read() -> None:
    sent = set(pb.TransactionKind.values()) - {pb.TRANSACTION_KIND_UNSPECIFIED}
    for kind in sent:
        row = pb.ListTransactionsResponse(transactions=[transaction(kind=kind)])
        assert isinstance(transaction_page(row), TransactionPage)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": pb.TRANSACTION_KIND_UNSPECIFIED},
        {"outcome": charge_pb2.OUTCOME_UNSPECIFIED},
        {"create_time": None},
        {"charge": charge_pb2.Charge(reference="cp1", amount=ugx(1))},
        {"charge": charge_pb2.Charge(reference="cp1", gateway_transaction_id="tx-1")},
        {
            "charge": charge_pb2.Charge(
                gateway_transaction_id="tx-1",
                amount=money_pb2.Money(currency_code="XXX", amount_minor=1),
            )
        },
    ],
    ids=["no kind", "no outcome", "no time", "no identifier", "no amount", "no currency"],
)
def test_a_row_that_cannot_be_read_spoils_its_page(changes: dict[str, Any]) -> None:
    rows = [transaction(), transaction(**changes), transaction()]
    page = transaction_page(pb.ListTransactionsResponse(transactions=rows))
    assert isinstance(page, NotListed)
    assert page.offered


def test_a_row_without_money_needs_no_amount() -> None:
    failed = transaction(
        outcome=charge_pb2.OUTCOME_FAILED,
        charge=charge_pb2.Charge(gateway_transaction_id="tx-1"),
    )
    page = transaction_page(pb.ListTransactionsResponse(transactions=[failed]))
    assert isinstance(page, TransactionPage)
    assert page.transactions[0].amount is None


def test_a_payout_is_read_as_it_stands() -> None:
    page = settlement_page(pb.ListSettlementsResponse(settlements=[payout()]))
    assert isinstance(page, SettlementPage)
    (one,) = page.settlements
    assert (one.settlement_id, one.net, one.settled_at) == ("st-1", Money("UGX", 34_300), AT)
    (line,) = one.lines
    assert (line.transaction_id, line.gross, line.fee) == (
        "tx-1",
        Money("UGX", 35_000),
        Money("UGX", 700),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"settlement_id": ""},
        {"settle_time": None},
        {"net": None},
        {"fees": money_pb2.Money(currency_code="KES", amount_minor=1)},
        {"lines": [pb.SettlementLine(gross=ugx(1))]},
        {"lines": [pb.SettlementLine(gateway_transaction_id="tx-1", gross=ugx(1))] * 2},
    ],
    ids=["no identifier", "no time", "no sum", "two currencies", "a nameless line", "a line twice"],
)
def test_a_payout_that_cannot_be_read_spoils_its_page(changes: dict[str, Any]) -> None:
    reply = pb.ListSettlementsResponse(settlements=[payout(), payout(**changes)])
    assert isinstance(settlement_page(reply), NotListed)


@pytest.mark.parametrize(
    ("code", "reason", "domain", "offered"),
    [
        (ErrorCode.UNIMPLEMENTED, "NOT_CREATED", "gateways.v1", False),
        (ErrorCode.UNIMPLEMENTED, "NOT_CREATED", "elsewhere", True),
        (ErrorCode.UNIMPLEMENTED, "TRANSPORT_FAILURE", "", True),
        (ErrorCode.FAILED_PRECONDITION, "NOT_CREATED", "gateways.v1", True),
        (ErrorCode.UNAVAILABLE, "NOT_SENT", "gateways.v1", True),
        (ErrorCode.UNKNOWN, "UNKNOWN", "gateways.v1", True),
    ],
)
def test_only_the_adapters_own_word_says_that_there_is_no_such_list(
    code: ErrorCode, reason: str, domain: str, *, offered: bool
) -> None:
    error = ServiceError(code, reason, "no", metadata={"domain": domain})
    assert failed_list("eversend", error).offered is offered
