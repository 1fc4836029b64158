"""Flutterwave as the simulation has it: hosted pages, tries, look-ups, refunds (contract A3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway_adapters.http import HttpCall
from kit.money import Money
from proofs.simulation.faults import Fault, Faults
from proofs.simulation.gateways.book import Book, RealCharge, RealRefund, RealState, Reply, reply

_HOST = "https://checkout.flutterwave.test/v3/hosted/pay/"
_NOT_FOUND = "No transaction was found for this id"
_INACTIVE = "This payment link is currently inactive"
_MINUTE = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Page:
    """One hosted page. `tabs`: opened and not used for a try yet. `may_open`: before this time."""

    link: str
    reference: str
    price: Money
    lapses_at: float
    most_tries: int
    active: bool = True
    tabs: int = 0
    tries: list[RealCharge] = field(default_factory=list)

    def payable(self, now: float) -> bool:
        """Whether a tab that is open can begin a try."""
        return self.active and now < self.lapses_at

    def opens(self, now: float) -> bool:
        """Whether somebody who follows the link can begin a try."""
        paid = any(each.state is RealState.SUCCESSFUL for each in self.tries)
        return self.payable(now) and not paid and len(self.tries) < self.most_tries

    def can_take_money(self, now: float) -> bool:
        """Whether a payer who knows the link can still bring it to a success."""
        pending = any(each.state is RealState.PENDING for each in self.tries)
        return pending or self.opens(now) or (self.tabs > 0 and self.payable(now))


class Flutterwave:
    """Answers requests, and lets payers pay on its pages."""

    def __init__(self, now: Callable[[], float], faults: Faults) -> None:
        self.book = Book("flutterwave")
        self.pages: dict[str, Page] = {}
        self._now = now
        self._faults = faults
        self._routes: Mapping[tuple[str, str], Callable[[HttpCall], Reply]] = {
            ("POST", "/payments"): self._create_page,
            ("POST", "/payments/link/disable"): self._disable,
            ("GET", "/transactions/{id}/verify"): self._verify,
            ("GET", "/transactions/verify_by_reference"): self._verify_by_reference,
            ("GET", "/transactions"): self._list,
            ("POST", "/transactions/{id}/refund"): self._refund,
            ("GET", "/refunds/{id}"): self._get_refund,
            ("GET", "/refunds"): self._list_refunds,
        }

    def handle(self, call: HttpCall) -> Reply:
        """Do what a request asks for."""
        answer = self._routes.get((call.method, call.route))
        return answer(call) if answer else Reply(404, b"<!DOCTYPE html><pre>Cannot GET</pre>")

    def page_under(self, reference: str) -> Page | None:
        """Return the page of a reference."""
        return next((page for page in self.pages.values() if page.reference == reference), None)

    def open_tab(self, link: str) -> Page | None:
        """Open a page; None when nobody can pay on it."""
        page = self.pages.get(link)
        if page is None or not page.opens(self._now()):
            return None
        page.tabs += 1
        return page

    def begin_try(self, page: Page, amount: Money) -> RealCharge | None:
        """Begin to pay on an open tab; None when the page does not take it any more."""
        page.tabs -= 1
        if not page.payable(self._now()):
            return None
        slow = self._faults.strikes(Fault.SLOW_TO_APPEAR)
        if slow:
            # Somebody who asks now is told that nobody pays, and no asking can rule that out.
            self.book.surprising.add(page.reference)
        charge = RealCharge(
            gateway=self.book.gateway,
            reference=page.reference,
            id=str(9_000_000 + self.book.next_number()),
            asked=page.price,
            amount=amount,
            visible_from=self._now() + (20.0 if slow else 0.0),
        )
        page.tries.append(charge)
        self.book.add_charge(charge)
        return charge

    def can_take_money(self, reference: str) -> bool:
        """Whether what was created under a reference can still take money."""
        page = self.page_under(reference)
        return page is not None and page.can_take_money(self._now())

    def _create_page(self, call: HttpCall) -> Reply:
        body = call.body or {}
        reference, limits = str(body["tx_ref"]), body.get("configurations")
        if self._faults.strikes(Fault.REFUSED_BY_GATEWAY):
            return _refused("Merchant cannot perform transactions in this currency")
        number = self.book.next_number()
        link = f"{_HOST}{number:04}{reference[2:14]}"
        limits = limits if isinstance(limits, dict) else {}
        self.pages[link] = Page(
            link=link,
            reference=reference,
            price=Money.from_major(str(body["currency"]), str(body["amount"])),
            lapses_at=self._now() + _MINUTE * int(limits.get("session_duration", 30)),
            most_tries=int(limits.get("max_retry_attempt", 5)),
        )
        return reply(200, {"status": "success", "message": "Hosted Link", "data": {"link": link}})

    def _disable(self, call: HttpCall) -> Reply:
        page = self.pages.get(str((call.body or {}).get("link")))
        if page is None or not page.active:
            return _refused(_INACTIVE)
        page.active = False
        return _ok(None)

    def _visible(self, reference: str) -> list[RealCharge]:
        now = self._now()
        return [each for each in self.book.under(reference) if each.visible_from <= now]

    def _verify(self, call: HttpCall) -> Reply:
        return self._verified(self.book.charges.get(call.parts["id"]))

    def _verify_by_reference(self, call: HttpCall) -> Reply:
        found = self._visible(call.query["tx_ref"])
        return self._verified(found[-1] if found else None)

    def _verified(self, charge: RealCharge | None) -> Reply:
        if charge is None or charge.visible_from > self._now():
            return _refused(_NOT_FOUND)
        return _ok(_row(charge))

    def _list(self, call: HttpCall) -> Reply:
        return _listed([_row(charge) for charge in self._visible(call.query.get("tx_ref", ""))])

    def _refund(self, call: HttpCall) -> Reply:
        charge_id, body = call.parts["id"], call.body or {}
        charge = self.book.charges.get(charge_id)
        if charge is None or charge.state is not RealState.SUCCESSFUL:
            return _refused("Transaction is not successful")
        amount = Money.from_major(charge.amount.currency, str(body["amount"]))
        if amount.minor + self.book.returned(charge_id) > charge.amount.minor:
            return _refused("Refund amount is more than the transaction amount")
        if self._faults.strikes(Fault.REFUSED_BY_GATEWAY):
            return _refused("Amount should be above UGX100")
        refund = RealRefund(
            gateway=self.book.gateway,
            reference=str(body.get("comments", "")),
            id=str(70_000 + self.book.next_number()),
            charge_id=charge_id,
            amount=amount,
        )
        self.book.add_refund(refund)
        return _ok({**_refund_row(refund), "tx_id": int(charge_id), "status": "completed"})

    def _get_refund(self, call: HttpCall) -> Reply:
        refund = self.book.refunds.get(call.parts["id"])
        return _ok(_refund_row(refund)) if refund else _refused("No refund found")

    def _list_refunds(self, call: HttpCall) -> Reply:
        refunds = self.book.refunds.values()
        charge_id = call.query.get("id", "")
        return _listed([_refund_row(each) for each in refunds if each.charge_id == charge_id])


_REFUND_WORDS = {
    RealState.PENDING: "completed",
    RealState.SUCCESSFUL: "completed-momo",
    RealState.FAILED: "failed",
}


def _row(charge: RealCharge) -> dict[str, object]:
    major = charge.amount.to_major()
    return {
        "id": int(charge.id),
        "tx_ref": charge.reference,
        "amount": major,
        "currency": charge.amount.currency,
        "charged_amount": major,
        "app_fee": charge.fee.to_major(),
        "processor_response": charge.why or "Approved",
        "status": charge.state.value,
    }


def _refund_row(refund: RealRefund) -> dict[str, object]:
    return {
        "id": int(refund.id),
        "transaction_id": int(refund.charge_id),
        "amount_refunded": refund.amount.to_major(),
        "status": _REFUND_WORDS[refund.state],
        "comment": refund.reference,
        "comments": refund.reference,
        "currency": refund.amount.currency,
        "meta": None,
    }


def _ok(data: object) -> Reply:
    return reply(200, {"status": "success", "message": "done", "data": data})


def _listed(rows: list[dict[str, object]]) -> Reply:
    info = {"total": len(rows), "current_page": 1, "total_pages": 1}
    document = {
        "status": "success",
        "message": "fetched",
        "meta": {"page_info": info},
        "data": rows,
    }
    return reply(200, document)


def _refused(words: str) -> Reply:
    return reply(400, {"status": "error", "message": words, "data": None})
