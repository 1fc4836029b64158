"""The time machine folds stored callbacks through today's code and changes nothing real."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from services.payments.domain.evidence import Answer
from services.payments.domain.states import PaymentStatus
from tests.databases import Database
from tests.operations.fakes import Operation, reply
from tests.operations.suite import Suite, by_card
from time_machine.differences import differences
from time_machine.fold import OnlyLookUps, fold, read_again
from time_machine.log import stored_callbacks
from time_machine.scratch import Concerned, copy_stories, scratch_engine

VERIFIER = FlutterwaveCallbackVerifier(["a-secret-hash-of-the-tests-0123456789"])


def body(reference: str) -> bytes:
    charge = {"tx_ref": reference, "status": "successful"}
    return json.dumps({"event": "charge.completed", "data": charge}).encode()


async def folded(suite: Suite, database: Database) -> tuple[list[str], list[str]]:
    """Fold everything that is stored; return how each ended, and what would differ."""
    engine = open_engine(DatabaseOptions(url=database.app_url, pool_size=1))
    start, end = suite.clock.now() - timedelta(days=1), suite.clock.now() + timedelta(days=1)
    stored = [each async for each in stored_callbacks(engine, start, end)]
    await engine.dispose()
    readings = [read_again(each, VERIFIER) for each in stored]
    concerned = Concerned(
        payment_ids=[each.payment_id for each in stored if each.payment_id],
        references=[each.delivery.reference for each in readings],
    )
    async with scratch_engine(database.app_url) as scratch:
        payments = await copy_stories(scratch, concerned)
        deps = replace(
            suite.deps, storage=PostgresStorage(scratch), gateways=OnlyLookUps(suite.gateways)
        )
        pairs = zip(stored, readings, strict=True)
        endings = [await fold(deps, callback, reading) for callback, reading in pairs]
        return endings, await differences(scratch, payments)


async def real_tables(suite: Suite) -> list[Any]:
    query = """
        SELECT (SELECT json_agg(p ORDER BY id) FROM creators_membership p)::text,
            (SELECT json_agg(e ORDER BY id) FROM webhook_events e)::text,
            (SELECT json_agg(a ORDER BY id) FROM payment_attempts a)::text,
            (SELECT count(*) FROM payment_audit_log), (SELECT count(*) FROM captures),
            (SELECT count(*) FROM memberships), (SELECT count(*) FROM journal_entries)
    """
    return [tuple(row) for row in await suite.witness.rows(query)]


async def test_callbacks_that_had_their_effect_would_change_nothing(
    suite: Suite, emptied: Database
) -> None:
    payment = await suite.create(by_card())
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(attempt, raw_body=body(attempt.reference))
    await suite.handle_events()
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    before = await real_tables(suite)
    endings, found = await folded(suite, emptied)
    assert (endings, found) == (["processed"], [])
    assert await real_tables(suite) == before


async def test_what_todays_parser_reads_better_shows_as_a_difference_and_nothing_moves(
    suite: Suite, emptied: Database
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await suite.deliver(
        attempt,
        gateway=attempt.gateway,
        raw_body=body(attempt.reference),
        reference="",
        event_type="misread",
    )
    await suite.handle_events()
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    before = await real_tables(suite)
    endings, found = await folded(suite, emptied)
    assert endings == ["processed"]
    assert any(f"payment {payment.id}: processing" in sentence for sentence in found)
    assert any(sentence.startswith("membership member-1: nothing") for sentence in found)
    assert any(sentence.startswith("capture ") for sentence in found)
    assert await real_tables(suite) == before


async def test_a_fold_asks_gateways_and_never_tells_them_anything(
    suite: Suite, emptied: Database
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await suite.deliver(attempt, raw_body=body(attempt.reference))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.FAILED))
    told_before = len(suite.gateways.made(Operation.CANCEL))
    await folded(suite, emptied)
    assert suite.gateways.made(Operation.LOOK_UP)
    assert len(suite.gateways.made(Operation.CANCEL)) == told_before
