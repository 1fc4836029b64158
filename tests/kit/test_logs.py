"""Log lines of ours and of libraries are structured, and redacted to the last corner."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.kit.processes import ROOT

SCRIPT = """
import logging
from kit.logs import configure_logs, get_logger
from kit.request_scope import RequestScope, enter_scope

configure_logs("tester", level="INFO", form=FORM)
enter_scope(RequestScope(request_id="request-1"))
log = get_logger("ours")
log.info("plain", amount_minor=25000, gateway="flutterwave")
log.info("said hunter2@example.com", headers={"Authorization": "private-1"}, token="private-2")
log.debug("not shown")
try:
    raise ValueError("password=private-3 for john.doe@example.com")
except ValueError:
    log.exception("failed")
    logging.getLogger("library").exception("pin=%s", "private-4")
logging.getLogger("library").warning("dsn %s", "postgresql://app:private-5@db/x")
logging.getLogger("library").warning("extra", extra={"api_key": "private-6"})
logging.getLogger("httpx").info("GET https://x/?key=private-7")
logging.getLogger("uvicorn.access").info("private-8")
log.info("odd", **{"event_key": b"private-9", "nested": [{"otp": "private-10"}]})
"""


async def _output(form: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT.replace("FORM", repr(form)),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return errors.decode()


@pytest.mark.parametrize("form", ["json", "pretty", "auto"])
async def test_nothing_private_reaches_the_log_in_any_form(form: str) -> None:
    output = await _output(form)

    assert "private" not in output
    assert "doe" not in output
    assert "hunter2" not in output
    assert "not shown" not in output
    assert "flutterwave" in output


async def test_json_lines_carry_what_finds_them_again() -> None:
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (await _output("json")).splitlines()
    ]

    assert len(lines) == 7
    for line in lines:
        assert {"event", "level", "timestamp", "service", "request_id"} <= line.keys()
        assert (line["service"], line["request_id"]) == ("tester", "request-1")
    assert lines[0]["amount_minor"] == 25_000
    assert "ValueError" in lines[2]["exception"]
    assert "ValueError" in lines[3]["exception"]
