"""The merchant's account put together: wallets, collections, payouts and one-time passwords."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from gateway_sandboxes.eversend.ledger import Ledger
from gateway_sandboxes.eversend.passwords import Passwords
from gateway_sandboxes.eversend.payouts import Payouts
from gateway_sandboxes.eversend.records import Row
from gateway_sandboxes.eversend.statement import Statement
from gateway_sandboxes.eversend.wallets import Wallets
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial

_IDS_SINCE = 1_704_067_200  # 2024-01-01: database ids are shorter than the public ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the endpoints, the pages and the control API work on."""

    wallets: Wallets
    ledger: Ledger
    payouts: Payouts
    statement: Statement
    passwords: Passwords

    @classmethod
    def opened(cls, machinery: Machinery, announce: Callable[[Row], None]) -> Self:
        """Load what the store remembers; `announce` hears of every decision."""
        wallets, ids = Wallets(machinery.store), Serial(100, _IDS_SINCE)
        ledger = Ledger(machinery, wallets, ids, announce)
        payouts = Payouts(machinery, wallets, ids, announce)
        return cls(
            wallets=wallets,
            ledger=ledger,
            payouts=payouts,
            statement=Statement(ledger, payouts),
            passwords=Passwords(machinery.store, machinery.clock),
        )
