"""Runs the simulation as people run it, in a process of its own."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a run ended with."""

    code: int | None
    output: str


async def simulate(*arguments: str, hash_seed: str = "0") -> Finished:
    """Run `python -m proofs.simulation`; what it warns of is an error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        "proofs.simulation",
        *arguments,
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return Finished(code=process.returncode, output=output.decode())
