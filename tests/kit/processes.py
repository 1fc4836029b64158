"""Our own processes, started as an operator starts them."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 20
# The variables of the developer's own shell must not decide a test.
_KEPT = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR")


@dataclass(slots=True, kw_only=True)
class RunningProcess:
    """A process whose log (JSON, on standard error) is read line by line."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def event(self, name: str, **facts: object) -> dict[str, Any]:
        """Read on until the log line of `name` that has these facts, and return it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                entry = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == name and facts.items() <= entry.items():
                    return dict(entry)
        raise AssertionError(f"the process ended before {name}: {''.join(self.lines)}")

    async def port(self) -> int:
        """Read on until the process listens; the port."""
        return int((await self.event("listening"))["listen_address"].rpartition(":")[2])

    async def drain(self) -> None:
        """Read the log to its end and forget it, so that the process never waits for a reader."""
        assert self.process.stderr is not None
        while await self.process.stderr.read(65536):
            pass

    async def end(self) -> int:
        """Read what is left of the log and return the exit code."""
        assert self.process.stderr is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            self.lines += (await self.process.stderr.read()).decode().splitlines(keepends=True)
            return await self.process.wait()


@contextlib.asynccontextmanager
async def started(module: str, environment: Mapping[str, str]) -> AsyncIterator[RunningProcess]:
    """Run `python -m module` with exactly these settings; kill it if the test leaves it behind."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=ROOT,
        env={**kept, "LOG_FORMAT": "json", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield RunningProcess(process=process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
