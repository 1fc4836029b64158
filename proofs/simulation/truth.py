"""What the gateways' own books say about our attempts."""

from proofs.simulation.adapters import GatewaySide
from proofs.simulation.gateways.book import Book, RealCharge, RealRefund, RealState
from services.payments.domain.attempts import Attempt, Flow


class Truth:
    """Answers about what really happened, which the product can only ask for and hope."""

    def __init__(self, gateways: GatewaySide) -> None:
        self._eversend = gateways.eversend
        self._flutterwave = gateways.flutterwave
        # References whose link we stored at some time: somebody may have seen it.
        self.shown: set[str] = set()

    @property
    def books(self) -> tuple[Book, Book]:
        """The books of every gateway."""
        return self._eversend.book, self._flutterwave.book

    def book(self, gateway: str) -> Book:
        """Return a gateway's books."""
        return self._eversend.book if gateway == "eversend" else self._flutterwave.book

    def can_take_money(self, attempt: Attempt) -> bool:
        """Whether an attempt can still take money from somebody."""
        book, reference = self.book(attempt.gateway), attempt.reference
        if any(each.state is RealState.PENDING for each in book.under(reference)):
            return True
        if attempt.gateway == "eversend":
            return book.on_way[reference] > 0 and attempt.flow is Flow.PROMPT
        # Nobody can pay on a link that nobody was ever shown.
        return reference in self.shown and self._flutterwave.can_take_money(reference)

    def keeps_its_word(self, attempt: Attempt) -> bool:
        """Whether the gateway never took back what it said about an attempt."""
        return attempt.reference not in self.book(attempt.gateway).surprising

    def charges(self) -> list[RealCharge]:
        """Return every charge at every gateway."""
        return [charge for book in self.books for charge in book.charges.values()]

    def taken(self) -> list[RealCharge]:
        """Return every charge that took money."""
        return [each for each in self.charges() if each.state is RealState.SUCCESSFUL]

    def refunds(self) -> list[RealRefund]:
        """Return every refund at every gateway."""
        return [refund for book in self.books for refund in book.refunds.values()]

    def is_at_rest(self) -> bool:
        """Whether nothing happens at any gateway any more, unless we ask for it."""
        return (
            not any(each.state is RealState.PENDING for each in self.charges())
            and not any(each.state is RealState.PENDING for each in self.refunds())
            and not any(sum(book.on_way.values()) for book in self.books)
        )
