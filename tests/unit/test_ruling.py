"""What a look-up does to a payment and its attempt, for every state of both."""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse, Taken
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer, Evidence
from services.payments.domain.payment import ActionKind, NextAction, Payment
from services.payments.domain.ruling import COMPLETABLE, Ruling, as_surplus, judge
from services.payments.domain.states import PaymentStatus
from tests.unit.factories import NOW, PRICE, make_attempt, make_payment, make_report

UNSETTLED = ("sending", "live", "unknown")
OPEN = ("pending", "processing")
# How the money that the gateway reports differs from what was asked for.
MISMATCHES: dict[str, dict[str, object]] = {
    "one minor unit less": {"amount": PRICE - Money("UGX", 1)},
    "a hundredth": {"amount": Money("UGX", 350)},
    "nothing": {"amount": Money("UGX", 0)},
    "less than nothing": {"amount": Money("UGX", -35_000)},
    "another currency": {"amount": Money("KES", 35_000)},
    "more of another currency": {"amount": Money("KES", 3_500_000)},
    "another reference": {"reference": "cp9999"},
    "no reference": {"reference": ""},
    "another reference in upper case": {"reference": "CP0001"},
    "no amount": {"amount": None},
}
AMOUNTS = {
    name: amount
    for name, changes in MISMATCHES.items()
    if isinstance(amount := changes.get("amount"), Money) and amount.minor > 0
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One payment and one attempt before a look-up."""

    payment: Payment
    attempt: Attempt

    def look_up(self, evidence: Evidence, **report: object) -> Ruling:
        answer = Answer.SUCCEEDED if evidence is Evidence.PAID else Answer.FAILED
        return judge(
            self.payment, self.attempt, evidence, make_report(self.attempt, answer, **report), NOW
        )


def cases_in(status: PaymentStatus) -> list[Case]:
    """Return a payment in `status` with its attempt in every outcome and flow."""
    payment = make_payment(
        status=status,
        completed_at=None if status in COMPLETABLE else NOW,
        next_action=NextAction(kind=ActionKind.REDIRECT, value="https://pay.example/1"),
    )
    return [
        Case(payment=payment, attempt=make_attempt(outcome=outcome, flow=flow))
        for outcome, flow in product(AttemptOutcome, Flow)
    ]


def unpaid_cases_in(status: PaymentStatus) -> list[Case]:
    return [case for case in cases_in(status) if case.attempt.outcome != "succeeded"]


def moves(ruling: Ruling) -> list[tuple[str | None, str | None]]:
    return [(note.from_status, note.to_status) for note in ruling.notes if note.kind == "move"]


every_status = pytest.mark.parametrize("status", list(PaymentStatus))


@every_status
@pytest.mark.parametrize("extra", [0, 1, 35_000])
def test_money_grants_once_where_it_is_needed_and_is_surplus_elsewhere(
    status: PaymentStatus, extra: int
) -> None:
    taken = PRICE + Money("UGX", extra)
    for case in unpaid_cases_in(status):
        settled = case.look_up(Evidence.PAID, amount=taken)
        assert settled.attempt.outcome == "succeeded"
        assert settled.taken is not None
        assert settled.taken.amount == taken
        assert settled.grants is (status in COMPLETABLE)
        if settled.grants:
            assert settled.payment.status == "completed"
            assert settled.payment.next_action.kind == "none"
            assert settled.taken.use is CaptureUse.KEPT
            assert settled.taken.excess == Money("UGX", extra)
        else:
            assert settled.payment == case.payment
            assert settled.taken.use is CaptureUse.SURPLUS
            assert settled.taken.excess == taken


@pytest.mark.parametrize("status", sorted(COMPLETABLE))
@pytest.mark.parametrize("mismatch", list(MISMATCHES))
def test_money_that_is_not_what_was_asked_for_is_held_and_grants_nothing(
    status: PaymentStatus, mismatch: str
) -> None:
    for case in cases_in(status):
        settled = case.look_up(Evidence.PAID, **MISMATCHES[mismatch])
        assert not settled.grants
        assert settled.payment.status == ("processing" if status == "pending" else status)
        assert settled.payment.review_reason
        assert settled.payment.next_action.kind == "none"
        assert settled.attempt == case.attempt
        assert settled.notes[-1].action == "held_for_review"


@pytest.mark.parametrize("mismatch", list(AMOUNTS))
def test_money_of_another_amount_is_held_whole_for_staff_to_decide(mismatch: str) -> None:
    amount = AMOUNTS[mismatch]
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    settled = case.look_up(Evidence.PAID, amount=amount)
    assert settled.taken == Taken(
        amount=amount,
        use=CaptureUse.HELD,
        excess=Money(amount.currency, 0),
        why=settled.payment.review_reason or "",
    )


@pytest.mark.parametrize("mismatch", sorted(MISMATCHES.keys() - AMOUNTS.keys()))
def test_an_answer_that_proves_no_amount_of_ours_puts_no_money_on_record(mismatch: str) -> None:
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    assert case.look_up(Evidence.PAID, **MISMATCHES[mismatch]).taken is None


@pytest.mark.parametrize("status", sorted(set(PaymentStatus) - COMPLETABLE))
@pytest.mark.parametrize("mismatch", list(AMOUNTS))
def test_whatever_amount_arrives_for_a_payment_that_is_over_goes_back_whole(
    status: PaymentStatus, mismatch: str
) -> None:
    amount = AMOUNTS[mismatch]
    for case in cases_in(status):
        settled = case.look_up(Evidence.PAID, amount=amount)
        assert settled.taken is not None
        assert (settled.taken.use, settled.taken.excess) == (CaptureUse.SURPLUS, amount)
        assert settled.payment == case.payment


@every_status
def test_a_second_success_never_replaces_the_first_on_its_attempt(status: PaymentStatus) -> None:
    payment = make_payment(status=status, completed_at=NOW)
    first = make_attempt(outcome=AttemptOutcome.SUCCEEDED, gateway_transaction_id="tx-1")
    second = Case(payment=payment, attempt=first).look_up(
        Evidence.PAID, gateway_transaction_id="tx-2"
    )
    assert second.attempt == first
    assert second.taken is not None
    assert second.grants is (status in COMPLETABLE)


@every_status
def test_an_attempt_that_succeeded_is_moved_by_nothing_but_more_money(
    status: PaymentStatus,
) -> None:
    succeeded = [case for case in cases_in(status) if case.attempt.outcome == "succeeded"]
    for case, evidence in product(succeeded, set(Evidence) - {Evidence.PAID}):
        settled = case.look_up(evidence)
        assert settled == Ruling(payment=case.payment, attempt=case.attempt)


@every_status
def test_a_failure_ends_an_unsettled_attempt_and_fails_an_open_payment(
    status: PaymentStatus,
) -> None:
    for case in cases_in(status):
        settled = case.look_up(Evidence.REJECTED, failure_code="insufficient_funds")
        assert settled.taken is None
        if case.attempt.outcome not in UNSETTLED:
            assert settled == Ruling(payment=case.payment, attempt=case.attempt)
            continue
        assert settled.attempt.outcome == "rejected"
        assert settled.attempt.failure is not None
        assert settled.attempt.failure.code == "insufficient_funds"
        if status in OPEN:
            assert settled.payment.status == "failed"
            assert settled.payment.failure == settled.attempt.failure
            assert settled.payment.next_action.kind == "none"
        else:
            assert settled.payment == case.payment


@every_status
def test_a_live_charge_moves_a_pending_payment_and_no_other(status: PaymentStatus) -> None:
    for case in cases_in(status):
        settled = case.look_up(Evidence.LIVE)
        waits_for_link = case.attempt.flow == "hosted" and case.attempt.outcome == "sending"
        news = case.attempt.outcome in ("sending", "unknown") and not waits_for_link
        assert settled.taken is None
        assert settled.attempt.outcome == ("live" if news else case.attempt.outcome)
        begins = news and status == "pending"
        assert settled.payment.status == ("processing" if begins else status)


@every_status
def test_a_prompt_is_shown_while_the_payment_is_open_and_never_after(
    status: PaymentStatus,
) -> None:
    payment = make_payment(status=status, completed_at=None if status in COMPLETABLE else NOW)
    attempt = make_attempt(outcome=AttemptOutcome.UNKNOWN, flow=Flow.PROMPT)
    settled = Case(payment=payment, attempt=attempt).look_up(Evidence.LIVE)
    action = settled.payment.next_action
    if status in OPEN:
        assert (action.kind, action.value) == ("phone_prompt", "+256•••••••56")
    else:
        assert settled.payment == payment


@every_status
@pytest.mark.parametrize(
    "evidence",
    [Evidence.NO_NEWS, Evidence.UNKNOWN, Evidence.NOT_SENT, Evidence.UNDELIVERED],
)
def test_no_news_changes_nothing(status: PaymentStatus, evidence: Evidence) -> None:
    for case in cases_in(status):
        assert case.look_up(evidence) == Ruling(payment=case.payment, attempt=case.attempt)


def test_a_completion_names_the_gateway_that_took_the_money() -> None:
    attempt = make_attempt(outcome=AttemptOutcome.UNDELIVERED, gateway="flutterwave")
    payment = make_payment(status=PaymentStatus.PROCESSING, gateway="eversend")
    settled = Case(payment=payment, attempt=attempt).look_up(
        Evidence.PAID, gateway_transaction_id="tx-77"
    )
    completed = settled.payment
    assert (completed.gateway, completed.gateway_reference) == ("flutterwave", "cp0001")
    assert completed.gateway_transaction_id == "tx-77"
    assert completed.completed_at == NOW
    assert completed.failure is None
    assert completed.next_action.kind == "none"


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ("pending", [("pending", "processing"), ("processing", "completed")]),
        ("processing", [("processing", "completed")]),
        ("failed", [("failed", "completed")]),
        ("expired", [("expired", "completed")]),
    ],
)
def test_every_move_of_a_completion_is_on_record(status: str, path: list[tuple[str, str]]) -> None:
    for case in unpaid_cases_in(PaymentStatus(status)):
        settled = case.look_up(Evidence.PAID)
        assert moves(settled) == path
        assert all(note.rule.startswith("PAID: ") for note in settled.notes)


def test_surplus_is_on_record_beside_the_completion() -> None:
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    settled = case.look_up(Evidence.PAID, amount=PRICE + Money("UGX", 500))
    assert [note.action for note in settled.notes] == ["payment_completed", "surplus_found"]
    assert settled.notes[-1].details == {"surplus": "UGX 500"}


def test_what_was_held_is_on_record_once_and_stays_held() -> None:
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    first = case.look_up(Evidence.PAID, amount=Money("UGX", 1))
    again = replace(case, payment=first.payment).look_up(Evidence.PAID, amount=Money("UGX", 1))
    assert again == Ruling(payment=first.payment, attempt=first.attempt, taken=first.taken)


def test_a_held_payment_completes_when_the_gateway_corrects_itself() -> None:
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    held = case.look_up(Evidence.PAID, amount=None)
    completed = replace(case, payment=held.payment).look_up(Evidence.PAID)
    assert (completed.payment.status, completed.payment.review_reason) == ("completed", None)


def test_a_look_up_keeps_what_it_says_about_the_charge_and_forgets_nothing() -> None:
    known = make_attempt(gateway_transaction_id="tx-1", expires_at=NOW, outcome=AttemptOutcome.LIVE)
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=known)
    assert case.look_up(Evidence.NO_NEWS).attempt == known
    later = NOW.replace(year=2027)
    told = case.look_up(Evidence.NO_NEWS, gateway_transaction_id="tx-2", expires_at=later).attempt
    assert (told.gateway_transaction_id, told.expires_at) == ("tx-2", later)


def test_money_for_a_payment_that_is_not_needed_any_more_goes_back_whole() -> None:
    payment, attempt = make_payment(status=PaymentStatus.FAILED), make_attempt()
    back = as_surplus(payment, attempt, PRICE, "bought elsewhere")
    assert back.payment == payment
    assert back.attempt.outcome == "succeeded"
    assert back.taken == Taken(
        amount=PRICE, use=CaptureUse.SURPLUS, excess=PRICE, why="bought elsewhere"
    )


def test_a_failure_without_a_code_reads_as_a_decline() -> None:
    case = Case(payment=make_payment(status=PaymentStatus.PROCESSING), attempt=make_attempt())
    report = ChargeReport(answer=Answer.FAILED, reference=case.attempt.reference)
    failed = judge(case.payment, case.attempt, Evidence.REJECTED, report, NOW).payment
    assert failed.failure is not None
    assert failed.failure.code == "declined"
    assert failed.failure.at == NOW


@pytest.mark.parametrize(
    ("evidence", "outcome", "afterwards", "code"),
    [
        (Evidence.EXPIRED, "expired", "expired", None),
        (Evidence.CLOSED, "cancelled", "cancelled", None),
        (Evidence.ABSENT, "undelivered", "failed", "never_confirmed"),
    ],
)
@every_status
def test_an_end_without_money_ends_an_open_payment_and_no_other(
    status: PaymentStatus, evidence: Evidence, outcome: str, afterwards: str, code: str | None
) -> None:
    for case in cases_in(status):
        settled = case.look_up(evidence)
        assert settled.taken is None
        moved = case.attempt.outcome in UNSETTLED
        assert settled.attempt.outcome == (outcome if moved else case.attempt.outcome)
        if moved and status in OPEN:
            assert settled.payment.status == afterwards
            assert settled.payment.next_action.kind == "none"
            failed = settled.payment.failure
            assert (failed.code if failed else None) == code
        else:
            assert settled.payment == case.payment
