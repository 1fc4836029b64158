"""The ports of the local stack, and whether they are free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields

HOST = "127.0.0.1"
_HIGHEST_PORT = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The port of every listener, as published in docs/ and used by tests from outside."""

    payments: int = 50051
    payments_worker: int = 50061
    eversend_adapter: int = 50052
    flutterwave_adapter: int = 50053
    bff: int = 8080
    webhook_receiver: int = 8081
    flutterwave_sandbox: int = 9201
    flutterwave_sandbox_control: int = 9301
    eversend_sandbox: int = 9202
    eversend_sandbox_control: int = 9302

    @classmethod
    def shifted(cls, offset: int) -> "Ports":
        """Return all ports moved by `offset`, so that a second stack can run on this machine."""
        usual = cls()
        return cls(**{each.name: getattr(usual, each.name) + offset for each in fields(cls)})

    def by_owner(self) -> Mapping[str, int]:
        """Return who listens where, by a name for people."""
        return {each.name.replace("_", " "): getattr(self, each.name) for each in fields(self)}


def is_free(port: int) -> bool:
    """Tell whether a listener on 127.0.0.1 could be opened now."""
    with socket.socket() as probe:
        # As every server does; otherwise a port that was just closed would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def first_free_port(start: int) -> int:
    """Return the first port from `start` upwards that nobody listens on at the moment."""
    return next(port for port in range(start, _HIGHEST_PORT) if is_free(port))


def taken(ports: Ports) -> list[str]:
    """Return a line for every port that somebody else holds, naming who wants it."""
    return [
        f"port {port}, wanted by {owner}, is taken by another program"
        for owner, port in ports.by_owner().items()
        if not is_free(port)
    ]
