"""What the Makefile promises to people."""

import asyncio
import os
import re

import pytest

from dev.checkout import ROOT, Checkout
from dev.env_file import read_env
from kit.clock import SystemClock
from kit.user_tokens import SharedSecret, TokenRules, UserTokens


async def make(*arguments: str) -> tuple[int | None, str, str]:
    """Run make without touching the virtual environment; return its exit code and outputs."""
    process = await asyncio.create_subprocess_exec(
        "make",
        "--old-file=.venv/.made-from-lock",
        "--no-print-directory",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "USER": "somebody"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_it_lists_what_it_can_do() -> None:
    code, output, _ = await make()
    assert code == 0
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert re.findall(r"^  make ([a-z-]+) +\S", output, re.MULTILINE) == phony[1].split()


@pytest.mark.parametrize("user", ["alice", "it's me; echo $HOME"])
async def test_a_token_names_the_member_that_was_asked_for(user: str) -> None:
    code, output, errors = await make("token", f"USER={user.replace('$', '$$')}")
    assert code == 0, errors
    secret = read_env(Checkout().secrets)["JWT_SECRET"]
    tokens = UserTokens(TokenRules(algorithms={"HS256": SharedSecret(secret)}), SystemClock())
    assert await tokens.user_id(output.strip()) == user


async def test_the_shell_s_own_user_is_not_taken_for_a_member() -> None:
    code, output, errors = await make("token")
    assert code != 0
    assert output == ""
    assert "usage: make token USER=alice" in errors
