"""Looking a collection up at Eversend, in every shape it answers in."""

from typing import Any

import pytest

from gateway_adapters.charges import ChargeQuery, Outcome
from gateway_adapters.errors import (
    OutcomeUnknownError,
)
from gateway_adapters.eversend.states import decline_code, outcome_of
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_FAILED,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.cases import momo_order
from tests.adapters.eversend_replies import REFERENCE, error, success, transaction
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted


@pytest.mark.parametrize("shape", ["list", "object"])
async def test_both_look_up_shapes_are_read(eversend: Rig, reference: str, shape: str) -> None:
    await eversend.sandbox.tell("config", lookup_shape=shape)
    created = await eversend.adapter.create(momo_order(reference))
    transaction_id = created.charge.gateway_transaction_id
    await eversend.sandbox.tell(f"transactions/{reference}/complete")
    for found in (
        await eversend.adapter.look_up(reference),
        await eversend.adapter.look_up("", transaction_id),
        await eversend.adapter.look_up(reference, transaction_id),
    ):
        assert found.outcome == OUTCOME_SUCCEEDED
        assert found.charge.amount == momo_order(reference).amount


@pytest.mark.parametrize("shape", ["string", "nested"])
async def test_both_error_shapes_are_read(eversend: Rig, reference: str, shape: str) -> None:
    await eversend.sandbox.tell("config", error_message_shape=shape)
    failure = await eversend.adapter.failure("CreateCharge", eversend.case.refused(reference))
    assert failure.reason == "NOT_CREATED"
    assert failure.metadata["code"] == "amount_not_supported"
    assert failure.message.startswith("amount must be between")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Customer did not approve the request", "payer_declined"),
        ("Customer declined the request", "payer_declined"),
        ("Insufficient funds", "insufficient_funds"),
        ("Request expired", "prompt_expired"),
        ("Transaction timed out", "prompt_expired"),
        ("Wrong PIN entered", "incorrect_pin"),
        ("", "declined"),
    ],
)
def test_each_decline_has_a_stable_code(reason: str, code: str) -> None:
    assert decline_code(reason) == code


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", Outcome.PENDING),
        ("successful", Outcome.SUCCEEDED),
        ("SUCCESSFUL", Outcome.SUCCEEDED),
        ("completed", Outcome.SUCCEEDED),
        ("success", Outcome.SUCCEEDED),
        ("failed", Outcome.FAILED),
        ("cancelled", Outcome.FAILED),
        ("declined", Outcome.FAILED),
        ("error", Outcome.FAILED),
        ("expired", Outcome.FAILED),
        ("reversed", Outcome.FAILED),
        ("CONFIRMING", Outcome.PENDING),
        ("unsuccessful", Outcome.PENDING),
        ("", Outcome.PENDING),
    ],
)
def test_each_status_means_exactly_this(status: str, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


async def test_a_search_matches_the_whole_reference_only() -> None:
    rows = [
        transaction(transactionRef=each) for each in ("cpscript011", "CPSCRIPT01", "xcpscript01")
    ]
    found = await _searched(rows)
    assert found.outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["failed", "successful", "pending"], Outcome.SUCCEEDED),
        (["failed", "pending"], Outcome.PENDING),
        (["failed", "failed"], Outcome.FAILED),
    ],
)
async def test_money_under_a_repeated_reference_is_never_overlooked(
    statuses: list[str], outcome: Outcome
) -> None:
    found = await _searched([transaction(status=status) for status in statuses])
    assert found.outcome is outcome


async def test_other_successes_under_a_reference_are_named() -> None:
    states = [("BE4", "pending"), ("BE3", "successful"), ("BE2", "failed"), ("BE1", "successful")]
    rows = [transaction(transactionId=key, status=status) for key, status in states]
    found = await _searched(rows)
    assert found.charge.gateway_transaction_id == "BE3"
    assert found.further_transaction_ids == ("BE1",)


@pytest.mark.parametrize(
    ("asked", "outcome", "further"),
    [
        ("BE1", Outcome.FAILED, ("BE2", "BE3")),
        ("BE2", Outcome.SUCCEEDED, ("BE3",)),
        ("BE9", Outcome.SUCCEEDED, ("BE3",)),
    ],
)
async def test_the_id_decides_what_is_reported_even_where_only_the_reference_finds_it(
    asked: str, outcome: Outcome, further: tuple[str, ...]
) -> None:
    states = [("BE1", "failed"), ("BE2", "successful"), ("BE3", "successful")]
    rows = [transaction(transactionId=key, status=status) for key, status in states]
    replies = {
        f"/transactions/{asked}": error(404, "Transaction not found"),
        "/transactions": success({"transactions": rows}),
    }
    async with scripted("eversend", replies) as (gateway, _):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id=asked)
        found = await gateway.get_charge(query)
    assert (found.outcome, found.further_transaction_ids) == (outcome, further)


async def test_each_of_two_successes_is_reported_by_its_own_id(
    eversend: Rig, reference: str
) -> None:
    await eversend.sandbox.fault("second_success", match={"reference": reference}, seconds=5)
    await eversend.adapter.create(momo_order(reference))
    await eversend.sandbox.tell(f"transactions/{reference}/complete")
    await eversend.sandbox.tell("clock", advance_seconds=5)
    charges = (await eversend.sandbox.ask(f"transactions/{reference}"))["charges"]
    ids = {charge["id"] for charge in charges}
    found = await eversend.adapter.look_up(reference)
    assert {found.charge.gateway_transaction_id, *found.further_transaction_ids} == ids
    for each in ids:
        by_id = await eversend.adapter.look_up(reference, each)
        assert by_id.outcome == OUTCOME_SUCCEEDED
        assert by_id.charge.gateway_transaction_id == each
        assert by_id.further_transaction_ids == []


async def test_the_reference_can_be_looked_up_by_its_path() -> None:
    replies = {f"/transactions/{REFERENCE}": success({"transactions": [transaction()]})}
    changes = {"eversend_lookup_by_ref": "path"}
    async with scripted("eversend", replies, **changes) as (gateway, _):
        found = await gateway.get_charge(
            ChargeQuery(reference=REFERENCE, gateway_transaction_id="")
        )
    assert found.outcome is Outcome.PENDING


@pytest.mark.parametrize(
    "reply",
    [
        success({}),
        success({"transactions": []}),
        success({"transactions": "none"}),
        '{"data":{"transactionId":"BE1","status":"successful"}}',
        (404, "<html>Cannot GET</html>"),
        success(transaction(status="successful", amount="25000.5")),
        success(transaction(status="successful", amount="1e9")),
        success(transaction(status="successful", currency="???")),
        success(transaction(transactionRef="cpanother1")),
    ],
)
async def test_an_unclear_transaction_proves_nothing(reply: Any) -> None:
    async with scripted("eversend", {"/transactions/BE1": reply}) as (gateway, _):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id="BE1")
        with pytest.raises(OutcomeUnknownError):
            await gateway.get_charge(query)


async def test_a_search_reply_without_a_list_is_no_empty_list() -> None:
    async with scripted("eversend", {"/transactions": success({"total": 0})}) as (gateway, _):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id="")
        with pytest.raises(OutcomeUnknownError):
            await gateway.get_charge(query)


async def test_a_late_success_after_a_failure_is_seen(eversend: Rig, reference: str) -> None:
    await eversend.adapter.create(momo_order(reference, "+256772120011"))
    await eversend.sandbox.tell("clock", advance_seconds=3)
    assert (await eversend.adapter.look_up(reference)).outcome == OUTCOME_FAILED
    await eversend.sandbox.tell("clock", advance_seconds=60)
    assert (await eversend.adapter.look_up(reference)).outcome == OUTCOME_SUCCEEDED


async def _searched(rows: list[dict[str, Any]]) -> Any:
    replies = {"/transactions": success({"transactions": rows, "total": len(rows)})}
    async with scripted("eversend", replies) as (gateway, script):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id="")
        found = await gateway.get_charge(query)
    assert script.requests[-1].query["search"] == REFERENCE
    return found


async def test_a_route_that_eversend_does_not_have_is_not_a_transaction_it_does_not_know() -> None:
    async with scripted("eversend", {}) as (gateway, _):
        query = ChargeQuery(reference="", gateway_transaction_id="BE1")
        with pytest.raises(OutcomeUnknownError) as caught:
            await gateway.get_charge(query)
    assert caught.value.operator_alert
