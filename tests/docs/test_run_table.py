"""The table on the front page is the one that `make run` prints."""

import re
from collections import defaultdict
from pathlib import Path

from dev.checkout import Checkout
from dev.plan import Stack, build_plan
from dev.ports import Ports
from tests.docs.markdown import document

_COLUMNS = re.compile(r"\s{2,}")


def test_the_table_names_every_process_where_it_is_and_what_it_does(tmp_path: Path) -> None:
    stack = Stack(
        checkout=Checkout(run=tmp_path),
        ports=Ports(),
        secrets=defaultdict(str),
        owner_url="",
        app_url="",
        cluster=None,
    )
    printed = [
        [service.name, service.where, service.purpose]
        for service in build_plan(stack)
        if not service.runs_once
    ]
    (block,) = document("README.md").blocks("text")
    _, table, _ = block.split("\n\n")
    head, postgres, *rows = [_COLUMNS.split(line.strip()) for line in table.splitlines()]
    assert head == ["process", "where", "what"]
    assert postgres[0] == "postgres"
    assert rows == printed
