"""Refunds through Flutterwave: sent once, with our mark, and never taken for done too early."""

import json
from typing import Any

import pytest

from gateway_adapters.charges import Outcome, Payer
from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    OutcomeUnknownError,
)
from gateway_adapters.refunds import RefundOrder, RefundQuery, RefundReport
from kit.money import Money
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_MOBILE_MONEY
from protos.gateways.v1.charge_pb2 import OUTCOME_NOT_FOUND, OUTCOME_PENDING, OUTCOME_SUCCEEDED
from tests.adapters.cases import momo_order
from tests.adapters.flutterwave_replies import ERROR, REFERENCE, many, one
from tests.adapters.paid import let_time_pass, paid_charge, part_of
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted

MARK = "cprefund01"
KES = Money("KES", 25_050)
REFUND_PATH = "/transactions/8830142/refund"


def refund_row(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 77201,
        "tx_id": 8830142,
        "amount_refunded": 250.5,
        "status": "completed",
        "meta": {"source": "availablebalance"},
        "created_at": "2026-09-15T08:11:20.366Z",
    }
    return {**facts, **changes}


def snake(**changes: Any) -> dict[str, Any]:
    return {
        "id": 77201,
        "transaction_id": 8830142,
        "amount_refunded": 250.5,
        "status": "completed-mpgs",
        "comment": MARK,
        **changes,
    }


def pascal(**changes: Any) -> dict[str, Any]:
    return {
        "id": 77201,
        "TransactionId": 8830142,
        "AmountRefunded": 250.5,
        "status": "completed-mpgs",
        "comments": MARK,
        **changes,
    }


def answered(row: dict[str, Any]) -> str:
    return json.dumps({"status": "success", "message": "Transaction refund initiated", "data": row})


def order(transaction_id: str = "8830142") -> RefundOrder:
    return RefundOrder(
        refund_reference=MARK,
        charge_reference=REFERENCE,
        gateway_transaction_id=transaction_id,
        amount=KES,
        payer=Payer(email=""),
    )


async def created(reply: Any) -> RefundReport:
    async with scripted("flutterwave", {REFUND_PATH: reply}) as (gateway, script):
        try:
            return await gateway.create_refund(order())
        finally:
            assert script.count(REFUND_PATH) == 1


async def creation_failure(reply: Any) -> GatewayFailureError:
    with pytest.raises(GatewayFailureError) as caught:
        await created(reply)
    return caught.value


async def looked_up(
    replies: dict[str, Any], refund_id: str = "", amount: Money | None = KES
) -> RefundReport:
    async with scripted("flutterwave", replies) as (gateway, _):
        return await gateway.get_refund(
            RefundQuery(
                refund_reference=MARK,
                gateway_refund_id=refund_id,
                gateway_transaction_id="8830142",
                amount=amount,
            )
        )


async def look_up_failure(replies: dict[str, Any], refund_id: str = "") -> OutcomeUnknownError:
    with pytest.raises(OutcomeUnknownError) as caught:
        await looked_up(replies, refund_id)
    return caught.value


async def test_the_amount_and_our_mark_are_always_sent() -> None:
    async with scripted("flutterwave", {REFUND_PATH: answered(refund_row())}) as (gateway, script):
        report = await gateway.create_refund(order())
    assert script.last_body == {"amount": "250.50", "comments": MARK}
    assert report.outcome is Outcome.PENDING
    assert (report.gateway_refund_id, report.gateway_status) == ("77201", "completed")


async def test_a_refund_without_its_transaction_is_refused_unsent() -> None:
    async with scripted("flutterwave", {}) as (gateway, script):
        with pytest.raises(NotCreatedError):
            await gateway.create_refund(order(transaction_id=""))
    assert script.requests == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("This transaction has already been refunded", "already_refunded"),
        ("Amount should be above NGN100", "amount_not_supported"),
        ("Refund amount is more than what is left", "amount_not_supported"),
        ("Insufficient balance to process refund", "wallet_balance_too_low"),
        ("Merchant is not enabled for refunds", "gateway_configuration"),
        ("Something else", "invalid_request"),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_documented_refusal_creates_nothing(words: str, code: str, status: int) -> None:
    failure = await creation_failure((status, ERROR % words))
    assert isinstance(failure, NotCreatedError)
    assert failure.code == code
    assert failure.detail == words
    assert failure.operator_alert == (code in ("wallet_balance_too_low", "gateway_configuration"))


@pytest.mark.parametrize(
    "reply",
    [
        (200, ERROR % "This transaction has already been refunded"),
        (404, "<html>Cannot POST</html>"),
        (400, '{"status":"error","message":"odd","data":{"id":1}}'),
        (429, ERROR % "Too many requests"),
        (500, ERROR % "An error occurred"),
        (503, ERROR % "An error occurred. Please contact support"),
        (200, "{}"),
        (200, "not json"),
        (200, answered({})),
        (200, answered(refund_row(amount_refunded=250))),
        (200, answered(refund_row(amount_refunded=None))),
        (200, answered(refund_row(tx_id=8830143))),
    ],
)
async def test_anything_else_proves_nothing_and_is_never_sent_again(reply: Any) -> None:
    assert isinstance(await creation_failure(reply), OutcomeUnknownError)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("new", Outcome.PENDING),
        ("pending", Outcome.PENDING),
        ("pending-momo", Outcome.PENDING),
        ("processing", Outcome.PENDING),
        ("completed", Outcome.PENDING),
        ("completed-bank-transfer", Outcome.SUCCEEDED),
        ("completed-momo", Outcome.SUCCEEDED),
        ("completed-mpgs", Outcome.SUCCEEDED),
        ("Completed-MPGS", Outcome.SUCCEEDED),
        ("completed-offline", Outcome.SUCCEEDED),
        ("completed-preauth", Outcome.SUCCEEDED),
        ("failed", Outcome.FAILED),
        ("successful", Outcome.PENDING),
        ("", Outcome.PENDING),
    ],
)
async def test_each_status_of_a_refund_means_exactly_this(status: str, outcome: Outcome) -> None:
    found = await looked_up({"/refunds/77201": answered(refund_row(status=status))}, "77201")
    assert found.outcome is outcome
    assert found.amount == KES
    assert (found.failure is not None) == (outcome is Outcome.FAILED)


@pytest.mark.parametrize(
    ("meta", "outcome"),
    [
        ({"disburse_status": "successful"}, Outcome.SUCCEEDED),
        ('{"disburse_status": "successful"}', Outcome.SUCCEEDED),
        ('{"disburse_status": "failed"}', Outcome.PENDING),
        ("{}", Outcome.PENDING),
        ("nonsense", Outcome.PENDING),
        ("[" * 5000, Outcome.PENDING),
        (None, Outcome.PENDING),
        ([], Outcome.PENDING),
    ],
)
async def test_completed_is_done_only_once_it_is_disbursed(meta: Any, outcome: Outcome) -> None:
    found = await looked_up({"/refunds/77201": answered(refund_row(meta=meta))}, "77201")
    assert found.outcome is outcome


@pytest.mark.parametrize("row", [snake(), pascal(), pascal(id="77201", TransactionId="8830142")])
async def test_a_refund_is_found_by_our_mark_in_either_spelling(row: dict[str, Any]) -> None:
    others = [
        snake(id=1, comment="cprefund02"),
        pascal(id=2, comments=None),
        snake(id=3, comment=7),
    ]
    found = await looked_up({"/refunds": many(*others, row)})
    assert (found.outcome, found.gateway_refund_id) == (Outcome.SUCCEEDED, "77201")
    assert found.amount == KES


async def test_a_refund_is_looked_for_among_those_of_its_transaction_on_every_page() -> None:
    pages = [many(snake(id=1, comment="other"), pages=2), many(pascal(), pages=2)]
    async with scripted("flutterwave", {"/refunds": pages}) as (gateway, script):
        query = RefundQuery(
            refund_reference=MARK,
            gateway_refund_id="",
            gateway_transaction_id="8830142",
            amount=KES,
        )
        found = await gateway.get_refund(query)
    assert found.outcome is Outcome.SUCCEEDED
    asked = [(request.query["id"], request.query["page"]) for request in script.requests]
    assert asked == [("8830142", "1"), ("8830142", "2")]


async def test_an_id_that_is_not_known_is_looked_for_by_our_mark() -> None:
    unknown = (400, ERROR % "No refund was found for this id")
    replies = {"/refunds/77201": unknown, "/refunds": many(snake())}
    assert (await looked_up(replies, "77201")).outcome is Outcome.SUCCEEDED
    replies = {"/refunds/77201": unknown, "/refunds": many()}
    assert (await looked_up(replies, "77201")).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("replies", "refund_id"),
    [
        ({"/refunds": (404, "<html>Cannot GET</html>")}, ""),
        ({"/refunds": (401, ERROR % "Invalid authorization key")}, ""),
        ({"/refunds": '{"status":"success","data":[]}'}, ""),
        ({"/refunds": many().replace("[]", "{}")}, ""),
        ({"/refunds": many().replace("[]", "[7]")}, ""),
        ({"/refunds": many(pages=10_000)}, ""),
        ({"/refunds": many(snake(), pascal())}, ""),
        ({"/refunds": many(snake(amount_refunded=250))}, ""),
        ({"/refunds": many(snake(amount_refunded="1e999999"))}, ""),
        ({"/refunds": many(snake(transaction_id=5))}, ""),
        ({"/refunds/77201": answered(refund_row(id=77202))}, "77201"),
        ({"/refunds/77201": answered(refund_row(tx_id=5))}, "77201"),
        ({"/refunds/77201": answered(refund_row(comments="cprefund02"))}, "77201"),
        ({"/refunds/77201": (400, ERROR % "Something went wrong")}, "77201"),
        ({"/refunds/77201": (200, "[]")}, "77201"),
    ],
)
async def test_whatever_cannot_be_read_or_is_not_ours_is_unknown_and_not_not_found(
    replies: dict[str, Any], refund_id: str
) -> None:
    await look_up_failure(replies, refund_id)


async def test_without_an_amount_the_currency_is_the_transactions() -> None:
    replies = {
        "/refunds/77201": answered(refund_row()),
        "/transactions/8830142/verify": one(),
    }
    assert (await looked_up(replies, "77201", amount=None)).amount == KES


async def test_a_mobile_money_refund_arrives_under_its_own_word(
    flutterwave: Rig, reference: str
) -> None:
    request = momo_order(reference)
    assert request.payment_method == PAYMENT_METHOD_MOBILE_MONEY
    await flutterwave.adapter.create(request)
    await flutterwave.sandbox.tell(f"transactions/{reference}/complete")
    charge = (await flutterwave.adapter.look_up(reference)).charge
    made = part_of(flutterwave, charge)
    await flutterwave.adapter.refund(made)
    assert (await flutterwave.adapter.look_up_refund(made)).gateway_status == "completed"
    await let_time_pass(flutterwave)
    found = await flutterwave.adapter.look_up_refund(made)
    assert (found.outcome, found.gateway_status) == (OUTCOME_SUCCEEDED, "completed-momo")


async def test_more_than_what_is_left_is_refused(flutterwave: Rig, reference: str) -> None:
    charge = await paid_charge(flutterwave, reference)
    first, second = (part_of(flutterwave, charge, f"{reference}r{n}") for n in (1, 2))
    second.amount.amount_minor = charge.amount.amount_minor
    await flutterwave.adapter.refund(first)
    error = await flutterwave.adapter.failure("CreateRefund", second)
    assert_proves(error, "NOT_CREATED")
    assert (await flutterwave.adapter.look_up_refund(second)).outcome == OUTCOME_NOT_FOUND


@pytest.mark.parametrize("fault", ["error_before_effect", "rate_limited", "html_error"])
async def test_a_refund_without_a_readable_answer_is_unknown(
    flutterwave: Rig, reference: str, fault: str
) -> None:
    made = part_of(flutterwave, await paid_charge(flutterwave, reference))
    await flutterwave.sandbox.fault(fault, "refund", match={"reference": reference})
    assert_proves(await flutterwave.adapter.failure("CreateRefund", made), "UNKNOWN")


async def test_a_refund_slower_than_the_callers_deadline_is_unknown_and_found_when_it_is_done(
    flutterwave: Rig, reference: str
) -> None:
    made = part_of(flutterwave, await paid_charge(flutterwave, reference))
    await flutterwave.sandbox.fault("error_after_effect", "refund", seconds=28)
    error = await flutterwave.adapter.failure("CreateRefund", made, seconds=0.8)
    assert_proves(error, "UNKNOWN")
    assert (await flutterwave.adapter.look_up_refund(made)).outcome == OUTCOME_PENDING


async def test_a_second_payment_under_one_reference_is_named_and_can_be_refunded(
    flutterwave: Rig, reference: str
) -> None:
    await flutterwave.sandbox.fault("second_success", match={"reference": reference})
    first = await paid_charge(flutterwave, reference)
    await let_time_pass(flutterwave)
    found = await flutterwave.adapter.look_up(reference, first.gateway_transaction_id)
    assert found.charge.gateway_transaction_id == first.gateway_transaction_id
    [second] = found.further_transaction_ids
    other = await flutterwave.adapter.look_up(reference, second)
    assert other.charge.gateway_transaction_id == second
    assert other.outcome == OUTCOME_SUCCEEDED
    made = part_of(flutterwave, other.charge)
    made.amount.CopyFrom(other.charge.amount)
    assert (await flutterwave.adapter.refund(made)).outcome == OUTCOME_PENDING
