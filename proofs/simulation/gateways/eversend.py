"""Eversend as the simulation has it: prompts on phones, slow look-ups, payouts (contract §5-§7)."""

from collections.abc import Callable, Mapping

from gateway_adapters.http import HttpCall
from kit.money import Money
from proofs.simulation.chance import Chance
from proofs.simulation.faults import Fault, Faults
from proofs.simulation.gateways.book import Book, RealCharge, RealRefund, RealState, Reply, reply

RIGHT_OTP, WRONG_OTP = "123456", "000000"
_TOKEN_SECONDS = 1600.0


class Eversend:
    """Answers requests, and shows prompts on payers' phones.

    `prompted`: called with every charge whose prompt appears on a phone. `asks_for_otp`: whether
    the account must prove with a one-time password that the payer wants it.
    """

    def __init__(
        self, now: Callable[[], float], faults: Faults, chance: Chance, *, asks_for_otp: bool
    ) -> None:
        self.book = Book("eversend")
        self.prompted: Callable[[RealCharge], None] = lambda _charge: None
        self._now = now
        self._faults = faults
        self._chance = chance
        self._asks_for_otp = asks_for_otp
        self._tokens: dict[str, float] = {}
        self._pins: set[str] = set()
        self._quotations: dict[str, Money] = {}
        self._routes: Mapping[tuple[str, str], Callable[[HttpCall], Reply]] = {
            ("POST", "/collections/otp"): self._send_otp,
            ("POST", "/collections/momo"): self._collect,
            ("GET", "/transactions/{id}"): self._transaction,
            ("GET", "/transactions"): self._search,
            ("POST", "/payouts/quotation"): self._quote,
            ("POST", "/payouts"): self._pay_out,
        }

    def handle(self, call: HttpCall) -> Reply:
        """Do what a request asks for."""
        if call.route == "/auth/token":
            return self._new_token()
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= self._now():
            return _refused(401, "Invalid token")
        answer = self._routes.get((call.method, call.route))
        return answer(call) if answer else _refused(404, "Endpoint not found")

    def can_take_money(self, reference: str) -> bool:
        """Whether what was created under a reference can still take money."""
        return any(each.state is RealState.PENDING for each in self.book.under(reference))

    def _new_token(self) -> Reply:
        token = f"token-{self.book.next_number()}"
        self._tokens[token] = self._now() + _TOKEN_SECONDS
        return reply(200, {"status": 200, "token": token})

    def _send_otp(self, _call: HttpCall) -> Reply:
        pin_id = f"VE{self.book.next_number():032x}"
        self._pins.add(pin_id)
        return _ok({"pinId": pin_id})

    def _otp_fits(self, body: Mapping[str, object]) -> bool:
        otp = body.get("otp")
        if not self._asks_for_otp:
            return otp is None
        if not isinstance(otp, dict) or otp.get("pinId") not in self._pins:
            return False
        return otp.get("pin") == RIGHT_OTP

    def _collect(self, call: HttpCall) -> Reply:
        body = call.body or {}
        reference = str(body["transactionRef"])
        if self._faults.strikes(Fault.REFUSED_BY_GATEWAY):
            return _refused(400, "phone number must be a valid international format")
        if not self._otp_fits(body):
            return _refused(400, "OTP is invalid")
        if self.book.under(reference):
            return _refused(400, "transactionRef already exists")
        price = Money.from_major(str(body["currency"]), str(body["amount"]))
        slow = self._faults.strikes(Fault.SLOW_TO_APPEAR)
        charge = RealCharge(
            gateway=self.book.gateway,
            reference=reference,
            id=f"BE3{1_700_000_000_000 + self.book.next_number()}",
            asked=price,
            amount=price,
            visible_from=self._now() + (self._chance.between(5, 240) if slow else 0.0),
        )
        self.book.add_charge(charge)
        self.prompted(charge)
        return _ok(_row(charge))

    def _transaction(self, call: HttpCall) -> Reply:
        key = call.parts["id"]
        charge, payout = self.book.charges.get(key), self.book.refunds.get(key)
        if charge is not None and charge.visible_from <= self._now():
            return _ok({"transactions": [_row(charge)]})
        if payout is not None:
            return _ok({"transactions": [_payout_row(payout)]})
        return _refused(404, "Transaction not found")

    def _search(self, call: HttpCall) -> Reply:
        reference, kind = call.query.get("search", ""), call.query.get("type")
        rows = [
            _row(charge)
            for charge in self.book.under(reference)
            if charge.visible_from <= self._now()
        ]
        rows += [
            _payout_row(payout)
            for payout in self.book.refunds.values()
            if payout.reference == reference
        ]
        rows = [row for row in rows if kind in (None, row["type"])]
        return _ok({"transactions": rows, "total": len(rows), "limit": 100, "page": 1})

    def _quote(self, call: HttpCall) -> Reply:
        body = call.body or {}
        currency = str(body["destinationCurrency"])
        amount = Money.from_major(currency, str(body["amount"]))
        token = f"quotation-{self.book.next_number()}"
        self._quotations[token] = amount
        text = str(amount.to_major())
        quotation = {
            "sourceCurrency": currency,
            "sourceAmount": text,
            "destinationCurrency": currency,
            "destinationAmount": text,
            "totalFees": "0",
            "totalAmount": text,
            "amountType": "DESTINATION",
            "type": "momo",
            "amount": text,
        }
        return _ok({"token": token, "quotation": quotation})

    def _pay_out(self, call: HttpCall) -> Reply:
        body = call.body or {}
        amount = self._quotations.pop(str(body["token"]), None)
        if amount is None:
            return _refused(400, "quotation token is invalid or was used")
        reference = str(body["transactionRef"])
        if self._faults.strikes(Fault.REFUSED_BY_GATEWAY):
            return _refused(400, "phone number must be a valid international format")
        payout = RealRefund(
            gateway=self.book.gateway,
            reference=reference,
            id=f"BP3{1_700_000_000_000 + self.book.next_number()}",
            charge_id="",
            amount=amount,
        )
        self.book.add_refund(payout)
        return _ok({"transaction": _payout_row(payout)})


def _row(charge: RealCharge) -> dict[str, object]:
    return {
        "transactionId": charge.id,
        "transactionRef": charge.reference,
        "type": "collection",
        "currency": charge.amount.currency,
        "amount": str(charge.amount.to_major()),
        "fees": str(charge.fee.to_major()),
        "reason": charge.why or None,
        "isRefunded": False,
        "status": charge.state.value,
    }


def _payout_row(payout: RealRefund) -> dict[str, object]:
    return {
        "transactionId": payout.id,
        "transactionRef": payout.reference,
        "type": "payout",
        "currency": payout.amount.currency,
        "amount": payout.amount.to_major(),
        "destinationAmount": str(payout.amount.to_major()),
        "destinationCurrency": payout.amount.currency,
        "fees": 0,
        "isRefunded": payout.state is RealState.FAILED,
        "status": payout.state.value,
    }


def _ok(data: object) -> Reply:
    return reply(200, {"code": 200, "success": True, "data": data})


def _refused(status: int, words: str) -> Reply:
    return reply(status, {"code": status, "success": False, "message": words})
