"""The control API's calls that only Flutterwave's sandbox has: chargebacks and settlements."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_sandboxes.amounts import parse_amount
from gateway_sandboxes.control import NotPossibleError
from gateway_sandboxes.flutterwave.book import FlutterwaveBook
from gateway_sandboxes.flutterwave.chargebacks import Chargebacks
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.records import ChargebackStatus
from gateway_sandboxes.flutterwave.settlements import Settlements
from gateway_sandboxes.flutterwave.settlements_api import SettlementsApi
from gateway_sandboxes.json_http import InvalidJsonError, json_reply, read_object


class DisputeCalls:
    """A payer's bank demands money back, and decides. Each answers with the reference's summary."""

    def __init__(self, ledger: Ledger, chargebacks: Chargebacks, book: FlutterwaveBook) -> None:
        self._ledger = ledger
        self._chargebacks = chargebacks
        self._book = book

    def routes(self) -> list[Route]:
        """Return the calls' routes."""
        path = "/_sandbox/transactions/{reference}/chargeback"
        return [
            Route(path, self.initiate, methods=["POST"]),
            Route(f"{path}/won", self.win, methods=["POST"]),
            Route(f"{path}/lost", self.lose, methods=["POST"]),
        ]

    async def initiate(self, request: Request) -> Response:
        """Demand back what the latest successful attempt took, or the body's `amount` of it."""
        reference = request.path_params["reference"]
        self._book.summary(reference)
        transaction = self._ledger.deciding_transaction(reference)
        if transaction is None or transaction.status != "successful":
            raise NotPossibleError("nothing was paid that could be demanded back")
        if self._chargebacks.undecided(reference):
            raise NotPossibleError("there is a chargeback that is not decided yet")
        wishes = await read_object(request)
        amount = parse_amount(wishes.get("amount", transaction.amount))
        if amount is None or not 0 < amount <= transaction.amount:
            raise InvalidJsonError("amount must be a number, and no more than what was paid")
        comment = str(wishes.get("reason") or "Cardholder does not recognise the transaction")
        self._chargebacks.initiate(transaction, amount, comment)
        return json_reply(self._book.summary(reference), 201)

    async def win(self, request: Request) -> Response:
        """Let the bank leave the money with the merchant."""
        return self._decide(request, "won")

    async def lose(self, request: Request) -> Response:
        """Let the bank take the money."""
        return self._decide(request, "lost")

    def _decide(self, request: Request, status: ChargebackStatus) -> Response:
        reference = request.path_params["reference"]
        self._book.summary(reference)
        chargeback = self._chargebacks.undecided(reference)
        if chargeback is None:
            raise NotPossibleError("there is no chargeback that could be decided")
        self._chargebacks.move(chargeback, status, "bank")
        return json_reply(self._book.summary(reference))


class PayoutCalls:
    """The merchant is paid."""

    def __init__(self, settlements: Settlements, api: SettlementsApi) -> None:
        self._settlements = settlements
        self._api = api

    def routes(self) -> list[Route]:
        """Return the calls' routes."""
        return [Route("/_sandbox/settlements", self.settle, methods=["POST"])]

    async def settle(self, request: Request) -> Response:
        """Settle whatever is due; `short_by` in the body makes every settlement wrong by that."""
        short_by = parse_amount((await read_object(request)).get("short_by", Decimal(0)))
        if short_by is None:
            raise InvalidJsonError("short_by must be an amount in major units")
        made = self._settlements.settle(short_by)
        return json_reply({"settlements": [self._api.detailed(each) for each in made]}, 201)
