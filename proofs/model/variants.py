"""Wrong policies, each one change away from the product's. Every one must be caught."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from proofs.model.policy import SAFE, Policy
from proofs.model.scenarios import Scenario
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import SAFE_RULES, Answer, Evidence, Rules
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import Ruling, judge
from services.payments.domain.states import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A wrong policy. `mistake`: in a sentence. `scenario`: where it must be caught."""

    name: str
    mistake: str
    policy: Policy
    scenario: Scenario


def _lost(evidence: Evidence) -> Rules:
    """Return the product's rules with another meaning of a prompt whose reply was lost."""
    cells: Mapping[Flow, Evidence] = {**SAFE_RULES.creation[Answer.UNKNOWN], Flow.PROMPT: evidence}
    return replace(SAFE_RULES, creation={**SAFE_RULES.creation, Answer.UNKNOWN: cells})


def _looked_up(answer: Answer, evidence: Evidence) -> Rules:
    """Return the product's rules with one entry about look-ups replaced."""
    return replace(SAFE_RULES, look_up={**SAFE_RULES.look_up, answer: evidence})


def _deaf_to_late_success(
    payment: Payment, attempt: Attempt, evidence: Evidence, report: ChargeReport, at: datetime
) -> Ruling:
    if evidence is Evidence.PAID and payment.status is PaymentStatus.FAILED:
        return Ruling(payment=payment, attempt=attempt)
    return judge(payment, attempt, evidence, report, at)


def _revives_cancelled(
    payment: Payment, attempt: Attempt, evidence: Evidence, report: ChargeReport, at: datetime
) -> Ruling:
    if evidence is Evidence.PAID and payment.status is PaymentStatus.CANCELLED:
        payment = replace(payment, status=PaymentStatus.PROCESSING)
    return judge(payment, attempt, evidence, report, at)


_PAGE = Scenario(name="page, then prompt", flows=(Flow.HOSTED, Flow.PROMPT))
_PROMPT = Scenario(name="prompt, then page", flows=(Flow.PROMPT, Flow.HOSTED))
_SURPRISED = replace(_PAGE, name="page, with a surprise", surprises=1)
_TWO_WORKERS = replace(_PAGE, name="page, two at once", handlers=2)
_WISHING = replace(_PAGE, name="page, second payment", payments=2, wishes=1)
_TRIED_AGAIN = Scenario(
    name="one gateway, tried again twice", flows=(Flow.PROMPT,), attempts=3, handlers=2, wishes=2
)

_ALL = (
    Variant(
        name="fall_back_on_timeout",
        mistake="the next gateway starts when the creation of a prompt timed out",
        policy=replace(SAFE, rules=_lost(Evidence.REJECTED)),
        scenario=_PROMPT,
    ),
    Variant(
        name="fall_back_when_not_found",
        mistake="a look-up that finds nothing counts as proof that nothing was sent",
        policy=replace(SAFE, rules=_looked_up(Answer.NOT_FOUND, Evidence.REJECTED)),
        scenario=replace(_WISHING, flows=_PROMPT.flows, name="prompt, second payment"),
    ),
    Variant(
        name="no_unique_attempt_index",
        mistake="nothing stops a second unsettled attempt when two requests come in at once",
        policy=replace(SAFE, one_unsettled_attempt=False),
        scenario=_TRIED_AGAIN,
    ),
    Variant(
        name="no_open_payment_index",
        mistake="nothing stops a second open payment for the same thing",
        policy=replace(SAFE, one_open_payment=False),
        scenario=_WISHING,
    ),
    Variant(
        name="no_fencing_token",
        mistake="a worker writes although its lease went to another",
        policy=replace(SAFE, fences_workers=False),
        scenario=_TWO_WORKERS,
    ),
    Variant(
        name="grant_on_callback",
        mistake="a callback is believed without asking the gateway",
        policy=replace(SAFE, asks_before_it_grants=False),
        scenario=_PAGE,
    ),
    Variant(
        name="ignore_late_success",
        mistake="a success after the payment failed changes nothing",
        policy=replace(SAFE, judge=_deaf_to_late_success),
        scenario=_SURPRISED,
    ),
    Variant(
        name="cancel_without_acknowledgement",
        mistake="a payment is cancelled although the gateway did not confirm closing its page",
        policy=replace(SAFE, cancels_on_acknowledgement=False),
        scenario=_WISHING,
    ),
    Variant(
        name="expire_without_asking",
        mistake="a page expires by our clock, neither closed nor asked about",
        policy=replace(SAFE, asks_before_it_expires=False),
        scenario=_WISHING,
    ),
    Variant(
        name="leave_failed_page_open",
        mistake="after a failed try the page stays open beside the next attempt",
        policy=replace(SAFE, closes_failed_links=False),
        scenario=_WISHING,
    ),
    Variant(
        name="do_not_ask_after_closing",
        mistake="a failure seen before its page closed counts, whatever began in between",
        policy=replace(SAFE, asks_again_after_closing=False),
        scenario=_WISHING,
    ),
    Variant(
        name="keep_surplus",
        mistake="money that buys nothing is not refunded",
        policy=replace(SAFE, returns_surplus=False),
        scenario=_SURPRISED,
    ),
    Variant(
        name="pay_twice_for_one_thing",
        mistake="a late success grants what another payment bought meanwhile",
        policy=replace(SAFE, knows_what_was_bought=False),
        scenario=replace(
            _PROMPT, flows=(Flow.PROMPT,), name="one gateway, two payments", payments=2, surprises=1
        ),
    ),
    Variant(
        name="revive_cancelled",
        mistake="money that arrives after a cancellation completes the payment",
        policy=replace(SAFE, judge=_revives_cancelled),
        scenario=_WISHING,
    ),
    Variant(
        name="resend_on_take_over",
        mistake="an interrupted attempt is sent again under the same reference",
        policy=replace(SAFE, gives_up_on_take_over=False),
        scenario=_PROMPT,
    ),
    Variant(
        name="take_prompt_for_undelivered",
        mistake="an interrupted prompt counts as undelivered, like a page that nobody saw",
        policy=replace(SAFE, take_over_rules=_lost(Evidence.UNDELIVERED)),
        scenario=_PROMPT,
    ),
    Variant(
        name="stop_asking",
        mistake="an attempt whose outcome is unknown is not asked about",
        policy=replace(SAFE, asks_until_settled=False),
        scenario=_PROMPT,
    ),
    Variant(
        name="forget_declined_creation",
        mistake="a prompt that was declined at once is not asked about any more",
        policy=replace(SAFE, keeps_asking_after_a_decline=False),
        scenario=replace(_PROMPT, surprises=1, name="prompt, with a surprise"),
    ),
    Variant(
        name="give_up_unseen_attempt",
        mistake="a request gives up an attempt that began after it had closed another",
        policy=replace(SAFE, gives_up_only_what_it_closed=False),
        scenario=_TRIED_AGAIN,
    ),
    Variant(
        name="overlook_entered_password",
        mistake="an attempt expires for want of a password that was entered meanwhile",
        policy=replace(SAFE, notices_an_entered_password=False),
        scenario=replace(
            _WISHING, flows=_PROMPT.flows, passwords=True, name="prompt with a password"
        ),
    ),
    Variant(
        name="fail_beside_payable_attempt",
        mistake="staff send money back and the payment fails beside an attempt that can be paid",
        policy=replace(SAFE, keeps_open_what_is_payable=False),
        scenario=replace(
            _TRIED_AGAIN,
            name="one gateway, held money",
            handlers=1,
            payments=2,
            surprises=1,
            wishes=1,
        ),
    ),
)

VARIANTS = {variant.name: variant for variant in _ALL}
