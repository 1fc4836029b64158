"""What the supervisor is told about a process: how to run it, and when it is well."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dev.processes import Command
from kit.healthcheck import grpc_serves, http_answers

HealthCheck = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the stack.

    `purpose`: a few words for people. `where`: its address, or empty. `is_well`: tells whether it
    serves. `needs`: names of the services that must have become well before it is started.
    `runs_once`: it does its work and ends with exit code 0, which makes it well.
    """

    command: Command
    purpose: str
    where: str
    is_well: HealthCheck
    needs: tuple[str, ...] = ()
    runs_once: bool = False

    @property
    def name(self) -> str:
        """The name of its log file, its pid file and its lines in the terminal."""
        return self.command.name


def grpc_check(address: str) -> HealthCheck:
    """Return a check of the gRPC server at `address` ("host:port")."""
    return lambda: asyncio.to_thread(grpc_serves, address)


def http_check(url: str) -> HealthCheck:
    """Return a check that a GET of `url` is answered with 200."""
    return lambda: asyncio.to_thread(http_answers, url)


async def never_well() -> bool:
    """Answer for a process that only runs once."""
    return False
