"""One request is carried out once, however often and wherever it arrives; its key is its own."""

from collections.abc import AsyncIterator

import pytest

from proofs.crash.idempotency.reuse import Reuse
from proofs.crash.idempotency.rounds import Score, play
from proofs.crash.idempotency.servers import Twins, twin_servers
from tests.databases import DatabaseServer

_ROUNDS, _AT_ONCE = 15, 32
_METHODS = {
    "CreatePayment",
    "RetryPayment",
    "RefundPayment",
    "SubmitPaymentAction",
    "CancelPayment",
}


@pytest.fixture(scope="module")
async def twins(postgres: DatabaseServer, database_template: str) -> AsyncIterator[Twins]:
    """Run two servers on one database."""
    async with postgres.temporary_database(database_template) as name:
        database = postgres.database(name)
        async with twin_servers(database.owner_url, database.app_url, asks_otp=True) as twins:
            yield twins


async def test_the_same_request_sent_at_once_to_two_servers_is_carried_out_once(
    twins: Twins,
) -> None:
    score: Score = await play(twins, _ROUNDS, _AT_ONCE)
    assert score.sent >= _ROUNDS * _AT_ONCE
    assert score.repeated, "nobody came while the first was being worked on"
    assert not score.wrong, score.wrong


async def test_another_request_under_a_used_key_is_refused_whichever_field_is_another(
    twins: Twins,
) -> None:
    refusals = await Reuse(twins).try_all()
    assert {each.method for each in refusals} == _METHODS
    for each in refusals:
        assert not each.wrong, each.wrong
        assert each.reused, f"no change of {each.method} was refused for its key"
