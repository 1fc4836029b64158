"""Asks a gateway about an attempt, and has links closed that must not be paid on any more."""

from dataclasses import dataclass, replace
from datetime import timedelta

from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditKind
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import RULES, Answer, Evidence
from services.payments.domain.ruling import Note
from services.payments.domain.states import OPEN_STATUSES
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.grant_tier import is_bought_elsewhere

_UNDER_WAY = frozenset({Answer.PENDING, Answer.REQUIRES_ACTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What asking about an attempt proved. `fence`: the lease token of a worker's claim."""

    attempt: Attempt
    evidence: Evidence
    report: ChargeReport
    fence: int | None = None
    webhook: bool = False

    @property
    def paid(self) -> bool:
        """Whether the gateway says that it took money."""
        return self.evidence is Evidence.PAID

    @property
    def paying(self) -> bool:
        """Whether a payer's try is under way."""
        return self.report.answer in _UNDER_WAY and not nobody_pays(self.report)

    @property
    def transaction_id(self) -> str:
        """The gateway's identifier of what was found; never empty when it took money."""
        return self.report.gateway_transaction_id


async def ask(deps: Dependencies, attempt: Attempt) -> Finding:
    """Ask about an attempt, and have its link closed when it is over or not needed any more.

    A delivered link stays payable until the gateway acknowledges that it is closed; without that,
    the attempt stays what it was.
    """
    if attempt.awaits_otp and (given_up := await _password_not_awaited(deps, attempt)):
        # Until the password comes, the gateway has nothing that could be paid.
        nothing = ChargeReport(answer=Answer.NOT_FOUND, reference=attempt.reference)
        return Finding(attempt=attempt, evidence=given_up, report=nothing)
    report = await deps.gateways.get_charge(attempt)
    evidence = _evidence(deps, report)
    asked = Finding(attempt=attempt, evidence=evidence, report=report)
    if not attempt.payable:
        return asked
    ending = await _ending(deps, attempt, report)
    if ending is None:
        return asked
    if not await _closed(deps, attempt):
        # It is still payable, whatever its last try ended like.
        return replace(asked, evidence=Evidence.LIVE) if ending is Evidence.REJECTED else asked
    # Somebody may have begun to pay just before the link closed.
    report = await deps.gateways.get_charge(attempt)
    over = nobody_pays(report) or report.answer is Answer.FAILED
    evidence = ending if over else _evidence(deps, report)
    return Finding(attempt=attempt, evidence=evidence, report=report)


def nobody_pays(report: ChargeReport) -> bool:
    """Whether the gateway says that no try is under way: none was made, or the last one failed."""
    failed_before = report.answer is Answer.PENDING and bool(report.failure_code)
    return report.answer is Answer.NOT_FOUND or failed_before


def check_note(finding: Finding) -> Note:
    """Return the note that a gateway was asked, with its answer and the rule that applies."""
    attempt, report = finding.attempt, finding.report
    details = {
        "gateway": attempt.gateway,
        "reference": attempt.reference,
        "gateway_transaction_id": report.gateway_transaction_id,
        "gateway_status": report.gateway_status,
        "amount": str(report.amount or ""),
        "fee": str(report.fee or ""),
        "failure_code": report.failure_code,
        "asked_because": "webhook" if finding.webhook else "",
    }
    return Note(
        kind=AuditKind.CHECK,
        action="gateway_asked",
        reason=f"{attempt.gateway} answered {report.answer}",
        rule=RULES[finding.evidence],
        details={key: value for key, value in details.items() if value},
    )


def _evidence(deps: Dependencies, report: ChargeReport) -> Evidence:
    """Return what a look-up proves. Money without the gateway's name for it could count twice."""
    evidence = deps.rules.look_up[report.answer]
    nameless = evidence is Evidence.PAID and not report.gateway_transaction_id
    return Evidence.NO_NEWS if nameless else evidence


async def _password_not_awaited(deps: Dependencies, attempt: Attempt) -> Evidence | None:
    """Return why a one-time password is not waited for any longer, or None to go on waiting."""
    patience = timedelta(seconds=deps.timing.otp)
    if attempt.sent_at + patience <= deps.clock.now():
        return Evidence.EXPIRED
    return None if await _needed(deps, attempt) else Evidence.CLOSED


async def _ending(deps: Dependencies, attempt: Attempt, report: ChargeReport) -> Evidence | None:
    """Return why a delivered link is to be closed, or None to leave it open."""
    if deps.rules.look_up[report.answer] is Evidence.REJECTED:
        return Evidence.REJECTED
    if not nobody_pays(report):
        return None
    if not await _needed(deps, attempt):
        return Evidence.CLOSED
    lapsed = attempt.expires_at is not None and attempt.expires_at <= deps.clock.now()
    return Evidence.EXPIRED if lapsed else None


async def _needed(deps: Dependencies, attempt: Attempt) -> bool:
    """Whether there is something left to buy: the payment is open, and not paid in another way."""
    now = deps.clock.now()
    async with deps.storage.work() as work:
        payment = await work.payments.get(attempt.payment_id)
        if payment is None:
            raise LookupError(f"attempt {attempt.id} has no payment")
        held = (await work.memberships.get(payment.user_id)).current(now)
        bought = await is_bought_elsewhere(work, payment, attempt, held, now)
    return payment.status in OPEN_STATUSES and not bought


async def _closed(deps: Dependencies, attempt: Attempt) -> bool:
    """Have the gateway close a link; only its acknowledgement counts."""
    closed = await deps.gateways.cancel_charge(attempt)
    return closed.answer is Answer.SUCCEEDED
