"""Operators' SQL in the runbook runs, under the services' own role, on the schema as it is."""

import pytest

from dev.postgres import connect
from tests.databases import Database
from tests.docs.markdown import document

STATEMENTS = document("docs/runbook.md").blocks("sql")


def test_the_runbook_has_statements_for_each_of_the_three_tables() -> None:
    together = "\n".join(STATEMENTS)
    for table in ("creators_membership", "webhook_events", "payment_audit_log"):
        assert f"FROM {table}" in together


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text.splitlines()[1][:40])
async def test_a_statement_of_the_runbook_runs(statement: str, database: Database) -> None:
    connection = await connect(database.app_url)
    try:
        async with connection.transaction(readonly=True):
            await connection.fetch(statement)
    finally:
        await connection.close()
