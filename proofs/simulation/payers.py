"""What payers do on pages and phones. They act on what gateways show, never on what we know."""

from kit.money import Money
from proofs.simulation.chance import Chance
from proofs.simulation.faults import Fault
from proofs.simulation.gateways.book import Book, RealCharge, RealRefund, RealState
from proofs.simulation.gateways.eversend import Eversend
from proofs.simulation.gateways.flutterwave import Flutterwave, Page
from proofs.simulation.nature import Nature
from proofs.simulation.plan import Habit

_PROMPT_SECONDS = 15 * 60.0
_HOUR = 3600.0


class Payers:
    """Reacts to prompts and links, each with the habit of the purchase that it belongs to."""

    def __init__(self, nature: Nature, eversend: Eversend, flutterwave: Flutterwave) -> None:
        self._nature = nature
        self._loop = nature.loop
        self._chance: Chance = nature.chance
        self._eversend = eversend
        self._flutterwave = flutterwave
        self._seen: set[str] = set()
        eversend.prompted = self._prompted
        for book in (eversend.book, flutterwave.book):
            book.refund_listeners.append(self._refund_follows)

    def got_link(self, link: str, habit: Habit) -> None:
        """Have a member see a page's link, perhaps not for the first time."""
        if link in self._seen:
            return
        self._seen.add(link)
        if habit is Habit.IGNORES:
            return
        wait = self._chance.between(1.0, 40.0)
        if habit is Habit.LATE:
            wait = self._chance.between(1200.0, 1900.0)
        self._loop.after(wait, lambda: self._pay(link, habit))
        if habit is Habit.TWICE:
            self._loop.after(wait + self._chance.between(0.0, 20.0), lambda: self._pay(link, habit))

    def _pay(self, link: str, habit: Habit) -> None:
        page = self._flutterwave.open_tab(link)
        if page is None:
            self._tell(f"finds the page closed: {link[-12:]}")
            return
        self._tell(f"opens the page {link[-12:]}")
        self._loop.after(self._chance.between(1.0, 60.0), lambda: self._submit(page, habit))

    def _submit(self, page: Page, habit: Habit) -> None:
        charge = self._flutterwave.begin_try(page, self._amount(page.price))
        if charge is None:
            self._tell(f"cannot pay on the page any more: {page.reference}")
            return
        self._tell(f"pays on the page: {charge.id} {page.reference}")
        declines = habit is Habit.DECLINES or (habit is Habit.HESITATES and len(page.tries) == 1)
        self._decide(self._flutterwave.book, charge, succeeds=not declines)
        if declines and habit is Habit.HESITATES:
            again = self._chance.between(70.0, 300.0)
            self._loop.after(again, lambda: self._pay(page.link, habit))

    def _amount(self, price: Money) -> Money:
        if not self._nature.faults.strikes(Fault.WRONG_AMOUNT):
            return price
        factor = self._chance.pick((50, 99, 101, 200))
        return Money(price.currency, price.minor * factor // 100)

    def _prompted(self, charge: RealCharge) -> None:
        habit = self._chance.pick(
            (Habit.APPROVES, Habit.APPROVES, Habit.APPROVES, Habit.DECLINES, Habit.IGNORES)
        )
        self._tell(f"sees a prompt: {charge.id} {charge.reference} ({habit})")
        if habit is Habit.IGNORES:
            # Some answer at last, some never; then the gateway gives up.
            late = self._chance.hits(0.5)
            wait = self._chance.between(60.0, 2 * _HOUR) if late else _PROMPT_SECONDS
            state = RealState.SUCCESSFUL if late else RealState.FAILED
            self._end(self._eversend.book, charge, state, wait)
        else:
            self._decide(self._eversend.book, charge, succeeds=habit is Habit.APPROVES)

    def _decide(self, book: Book, charge: RealCharge, *, succeeds: bool) -> None:
        chance = self._chance
        wait = chance.between(0.5, 60.0) if chance.hits(0.9) else chance.between(60.0, 2 * _HOUR)
        state = RealState.SUCCESSFUL if succeeds else RealState.FAILED
        self._end(book, charge, state, wait)
        if not succeeds and self._nature.faults.strikes(Fault.FAILED_THEN_PAID):
            later = wait + chance.between(1.0, 2 * _HOUR)
            self._end(book, charge, RealState.SUCCESSFUL, later)

    def _end(self, book: Book, charge: RealCharge, state: RealState, wait: float) -> None:
        why = "Insufficient Funds" if state is RealState.FAILED else ""

        def end() -> None:
            self._nature.story.tell(book.gateway, f"{charge.id} {charge.reference} is now {state}")
            book.finish(charge, state, why)

        self._loop.after(wait, end)

    def _refund_follows(self, refund: RealRefund) -> None:
        book = self._book_of(refund.gateway)
        if refund.state is not RealState.PENDING:
            return
        failed = self._chance.hits(0.1)
        state = RealState.FAILED if failed else RealState.SUCCESSFUL

        def end() -> None:
            self._nature.story.tell(book.gateway, f"refund {refund.id} is now {state}")
            book.finish_refund(refund, state)

        self._loop.after(self._chance.between(1.0, self._chance.pick((10.0, 24 * _HOUR))), end)

    def _book_of(self, gateway: str) -> Book:
        books = (self._eversend.book, self._flutterwave.book)
        return next(book for book in books if book.gateway == gateway)

    def _tell(self, what: str) -> None:
        self._nature.story.tell("payer", what)
