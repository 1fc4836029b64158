"""The merchant's wallets: one balance for each currency."""

from decimal import Decimal

from gateway_sandboxes.eversend.corridors import OPENING_WALLETS
from gateway_sandboxes.eversend.records import Wallet
from gateway_sandboxes.store import Collection, Store


class Wallets:
    """Balances in major units; a fresh sandbox has a float in each."""

    def __init__(self, store: Store) -> None:
        self._wallets = Collection(store, "wallets", Wallet)

    def balance(self, currency: str) -> Decimal:
        """Return a wallet's balance."""
        wallet = self._wallets.get(currency)
        return wallet.amount if wallet else OPENING_WALLETS[currency][1]

    def add(self, currency: str, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Credit a wallet, or debit it by a negative amount; return the balances around it."""
        before = self.balance(currency)
        after = before + amount
        self._wallets.put(currency, Wallet(currency=currency, amount=after))
        return before, after
