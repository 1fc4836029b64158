"""Eversend's tokens, shared by every call, and the gate in front of them."""

import asyncio
import json
from typing import Any

import pytest

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import (
    NotCreatedError,
    NotSentError,
)
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_REQUIRES_ACTION,
)
from tests.adapters.cases import momo_order
from tests.adapters.eversend_replies import MOMO, error, order, success, transaction
from tests.adapters.raw_server import raw_server, silent
from tests.adapters.rig import Rig
from tests.adapters.scripted import TOKEN_REPLY, scripted


async def test_many_charges_at_once_share_one_token_call(eversend: Rig, reference: str) -> None:
    await eversend.sandbox.fault("delay", "token", seconds=0.1)
    orders = [momo_order(f"{reference}n{number}") for number in range(20)]
    replies = await asyncio.gather(*(eversend.adapter.create(each) for each in orders))
    assert {reply.outcome for reply in replies} == {OUTCOME_REQUIRES_ACTION}
    assert await _token_calls(eversend) == 1


async def test_a_token_that_expired_early_is_renewed_and_the_charge_created_once(
    eversend: Rig, reference: str
) -> None:
    await eversend.adapter.create(momo_order(reference))
    await eversend.sandbox.tell("clock", advance_seconds=7200)
    later = f"{reference}b"
    created = await eversend.adapter.create(momo_order(later))
    assert created.outcome == OUTCOME_REQUIRES_ACTION
    assert await eversend.sandbox.created(later) == 1


async def test_many_charges_that_meet_an_expired_token_share_one_renewal(
    eversend: Rig, reference: str
) -> None:
    await eversend.adapter.create(momo_order(reference))
    await eversend.sandbox.tell("clock", advance_seconds=7200)
    await eversend.sandbox.fault("delay", "token", seconds=0.1)
    orders = [momo_order(f"{reference}n{number}") for number in range(10)]
    await asyncio.gather(*(eversend.adapter.create(each) for each in orders))
    assert await _token_calls(eversend) == 1


async def test_a_failed_renewal_fails_everybody_who_waits_and_is_not_remembered() -> None:
    # A GET is sent twice, so two errors make one failed renewal.
    failing = error(500, "An error has occurred")
    replies = {"/auth/token": [failing, failing, TOKEN_REPLY], MOMO: success(transaction())}
    async with scripted("eversend", replies) as (gateway, script):
        waiting = (gateway.create_charge(order()) for _ in range(5))
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(failure) for failure in failures} == {NotSentError}
        assert script.count("/auth/token") == 2
        assert (await gateway.create_charge(order())).outcome is Outcome.REQUIRES_ACTION


@pytest.mark.parametrize("fault", ["html_error", "bad_json", "lost_reply", "rate_limited"])
async def test_without_a_token_nothing_of_the_charge_was_sent(
    eversend: Rig, reference: str, fault: str
) -> None:
    await eversend.sandbox.fault(fault, "token")
    failure = await eversend.adapter.failure("CreateCharge", momo_order(reference))
    assert failure.reason == "NOT_SENT"
    assert await eversend.sandbox.created(reference) == 0


async def test_a_token_call_that_outlasts_the_caller_sends_nothing_and_serves_the_next(
    eversend: Rig, reference: str
) -> None:
    await eversend.sandbox.fault("delay", "token", seconds=1.0)
    hasty = await eversend.adapter.failure("CreateCharge", momo_order(reference), seconds=0.5)
    assert hasty.reason == "NOT_SENT"
    patient = await eversend.adapter.create(momo_order(reference))
    assert patient.outcome == OUTCOME_REQUIRES_ACTION
    assert await _token_calls(eversend) == 1


async def test_a_token_is_renewed_a_minute_before_it_expires(eversend: Rig, reference: str) -> None:
    await eversend.sandbox.tell("config", token_ttl=60)
    await eversend.sandbox.fault("delay", "token", seconds=0)
    for number in range(3):
        await eversend.adapter.create(momo_order(f"{reference}n{number}"))
    assert await _token_calls(eversend) == 3


@pytest.mark.parametrize("expires", [None, "soon", "2026-11-20T10:15:00", 17])
async def test_a_token_without_a_readable_expiry_lives_as_long_as_configured(expires: Any) -> None:
    token = json.dumps({"status": 200, "token": "plainly-fake", "expires": expires})
    replies = {"/auth/token": token, MOMO: success(transaction())}
    changes = {"eversend_token_ttl_fallback_seconds": 1500.0}
    async with scripted("eversend", replies, **changes) as (gateway, script):
        for wait, calls in ((0, 1), (1490, 1), (20, 2)):
            script.clock.advance(wait)
            await gateway.create_charge(order())
            assert script.count("/auth/token") == calls


@pytest.mark.parametrize(
    "reply",
    [
        '{"status":200,"token":"plainly-fake"}',
        '{"code":200,"success":true,"data":{"token":"plainly-fake"}}',
        '{"access_token":"plainly-fake"}',
    ],
)
async def test_a_token_is_found_wherever_it_has_been_seen(reply: str) -> None:
    replies = {"/auth/token": reply, MOMO: success(transaction())}
    async with scripted("eversend", replies) as (gateway, _):
        assert (await gateway.create_charge(order())).outcome is Outcome.REQUIRES_ACTION


@pytest.mark.parametrize(
    "reply", ["{}", '{"token":17}', '{"token":""}', "<html>", '{"token":"a\\nb"}']
)
async def test_a_reply_without_a_token_sends_nothing_of_the_charge(reply: str) -> None:
    async with scripted("eversend", {"/auth/token": reply}) as (gateway, _):
        with pytest.raises(NotSentError):
            await gateway.create_charge(order())


async def test_a_401_that_a_new_token_does_not_cure_ends_after_one_replay() -> None:
    async with scripted("eversend", {MOMO: error(401, "Unauthorized")}) as (gateway, script):
        with pytest.raises(NotCreatedError):
            await gateway.create_charge(order())
    paths = [request.path for request in script.requests]
    assert paths == ["/auth/token", MOMO, "/auth/token", MOMO]


async def test_a_refused_origin_alerts_and_is_not_tried_again(
    eversend: Rig, reference: str
) -> None:
    await eversend.sandbox.tell("config", require_origin=True, origin="https://creators.example")
    await eversend.sandbox.fault("delay", "token", seconds=0)
    failure = await eversend.adapter.failure("CreateCharge", momo_order(reference))
    assert failure.reason == "NOT_CREATED"
    assert failure.metadata["code"] == "gateway_configuration"
    assert failure.metadata["operator_alert"] == "true"


async def test_an_origin_refused_after_the_token_renews_nothing() -> None:
    replies = {MOMO: error(401, "Invalid request origin")}
    async with scripted("eversend", replies) as (gateway, script):
        with pytest.raises(NotCreatedError):
            await gateway.create_charge(order())
    assert [request.path for request in script.requests] == ["/auth/token", MOMO]


async def test_the_configured_origin_opens_the_gate(eversend: Rig, reference: str) -> None:
    await eversend.sandbox.tell("config", require_origin=True, origin="https://creators.example")
    async with eversend.another({"eversend_origin": "https://creators.example"}) as adapter:
        assert (await adapter.create(momo_order(reference))).outcome == OUTCOME_REQUIRES_ACTION


async def test_closing_ends_a_renewal_that_is_under_way() -> None:
    async with raw_server(silent) as server:
        changes = {"eversend_base_url": server.url}
        async with scripted("eversend", {}, **changes) as (gateway, _):
            charge = asyncio.create_task(gateway.create_charge(order()))
            await server.arrived.wait()
            async with asyncio.timeout(2):
                await gateway.close()
            assert "eversend-token" not in {task.get_name() for task in asyncio.all_tasks()}
            await asyncio.gather(charge, return_exceptions=True)


async def _token_calls(rig: Rig) -> int:
    """Return how often the token fault fired, which is once a token call."""
    [rule] = (await rig.sandbox.ask("faults"))["faults"]
    return int(rule["fired"])
