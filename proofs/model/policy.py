"""What decides in the model: the product's own tables, and the guards around them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.payments.domain.attempts import Attempt
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import ALLOWS_FALLBACK, SAFE_RULES, Evidence, Rules
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import Ruling, judge
from services.payments.domain.states import TRANSITIONS, PaymentStatus

Judge = Callable[[Payment, Attempt, Evidence, ChargeReport, datetime], Ruling]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The product's decisions. A wrong variant replaces one of them.

    The tables are the product's own. The switches stand for what is not a table in the product: a
    unique index, a condition of an UPDATE, the order of two calls. Each is on in the product.
    """

    rules: Rules = SAFE_RULES
    transitions: Mapping[PaymentStatus, frozenset[PaymentStatus]] = field(
        default_factory=lambda: TRANSITIONS
    )
    allows_fallback: frozenset[Evidence] = ALLOWS_FALLBACK
    judge: Judge = judge
    take_over_rules: Rules = SAFE_RULES
    one_unsettled_attempt: bool = True
    one_open_payment: bool = True
    fences_workers: bool = True
    asks_before_it_grants: bool = True
    cancels_on_acknowledgement: bool = True
    asks_before_it_expires: bool = True
    closes_failed_links: bool = True
    asks_again_after_closing: bool = True
    keeps_asking_after_a_decline: bool = True
    gives_up_only_what_it_closed: bool = True
    notices_an_entered_password: bool = True
    keeps_open_what_is_payable: bool = True
    returns_surplus: bool = True
    gives_up_on_take_over: bool = True
    asks_until_settled: bool = True
    knows_what_was_bought: bool = True


SAFE = Policy()
