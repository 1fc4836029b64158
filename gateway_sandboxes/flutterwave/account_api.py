"""`GET /v3/transactions/fee`, `GET /v3/balances` and `/v3/balances/{currency}` (contract A9)."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import parse_amount
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.methods import CURRENCIES, fee
from gateway_sandboxes.flutterwave.replies import RefusedError, success
from gateway_sandboxes.flutterwave.settlements import Settlements


class AccountApi:
    """The endpoints about the merchant's account as a whole."""

    def __init__(self, settlements: Settlements) -> None:
        self._settlements = settlements

    async def fee(self, request: Request) -> Response:
        """Say what Flutterwave would take of an amount."""
        amount = parse_amount(request.query_params.get("amount"))
        currency = request.query_params.get("currency") or "NGN"
        if amount is None or amount <= 0:
            raise RefusedError("amount must be a number greater than 0")
        if currency not in CURRENCIES:
            raise RefusedError("currency is not supported")
        charged = fee(amount, currency)
        data = {
            "charge_amount": amount,
            "fee": charged,
            "merchant_fee": 0,
            "flutterwave_fee": charged,
            "stamp_duty_fee": 0,
            "currency": currency,
        }
        return success("Charged fee", data)

    async def balances(self, _: Request) -> Response:
        """Return what was paid out (available) and what is on its way (ledger), by currency."""
        return success("Wallet balances fetched", list(self._balances().values()))

    async def balance(self, request: Request) -> Response:
        """Return one currency's balances."""
        currency = request.path_params["currency"]
        if currency not in CURRENCIES:
            raise RefusedError("currency is not supported")
        empty = _balance(currency, Decimal(0), Decimal(0))
        return success("Wallet balance fetched", self._balances().get(currency, empty))

    async def describe(self, _: Request) -> Subject:
        """Say that these are none of the named operations."""
        return Subject(operation="account")

    def _balances(self) -> dict[str, dict[str, object]]:
        available: dict[str, Decimal] = {}
        ledger: dict[str, Decimal] = {}
        for settlement in self._settlements.all():
            before = available.get(settlement.currency, Decimal(0))
            available[settlement.currency] = before + settlement.net_amount
        for transaction in self._settlements.unsettled():
            due = transaction.amount_settled or Decimal(0)
            ledger[transaction.currency] = ledger.get(transaction.currency, Decimal(0)) + due
        return {
            currency: _balance(
                currency, available.get(currency, Decimal(0)), ledger.get(currency, Decimal(0))
            )
            for currency in sorted({*available, *ledger})
        }


def _balance(currency: str, available: Decimal, ledger: Decimal) -> dict[str, object]:
    return {"currency": currency, "available_balance": available, "ledger_balance": ledger}
