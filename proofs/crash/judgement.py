"""What must hold after any crash, once nothing is due any more: our records against the truth."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from kit.money import Money
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.remote import NAMES
from proofs.crash.records import Records
from services.payments.domain.ledger import clearing

_PAID = frozenset({"completed", "partially_refunded", "refunded", "disputed"})
_OPEN = frozenset({"pending", "processing"})
_UNSETTLED = frozenset({"sending", "live", "unknown", "recorded", "accepted"})


def broken_invariants(records: Records, books: GatewayBooks, *, at_rest: bool = True) -> list[str]:
    """Return everything that must not be.

    `at_rest`: whether nothing is due any more, so that nothing may wait.
    """
    return [
        *books.wrong,
        *(_stuck(records) if at_rest else ()),
        *_money_without_effect(records, books),
        *_wrong_captures(records, books),
        *_wrong_payments(records),
        *_wrong_refunds(records, books),
        *_wrong_memberships(records),
        *_wrong_history(records),
        *_wrong_ledger(records, books),
    ]


def lost_schedules(records: Records) -> list[str]:
    """Return what nobody would ever look at again; there is no moment at which that may be."""
    scheduled = {
        each["payment_id"]
        for each in records.attempts
        if each["outcome"] in _UNSETTLED and each["next_check_at"] is not None
    }
    held = {each["payment_id"] for each in records.captures if each["use"] == "held"}
    lost = [
        f"NO SCHEDULE: payment {each['id']} is {each['status']} and nothing is due"
        for each in records.payments
        if each["status"] in _OPEN and each["id"] not in scheduled | held
    ]
    return lost + [
        f"NO SCHEDULE: refund {each['reference']} is {each['outcome']} and nothing is due"
        for each in records.refund_attempts
        if each["outcome"] in _UNSETTLED and each["next_check_at"] is None
    ]


def _money(row: dict[str, Any], column: str = "amount") -> Money:
    return Money.from_major(row["currency"], row[column])


def _stuck(records: Records) -> Iterator[str]:
    """Yield what is not over, and is not in the hands of staff either."""
    held = {each["id"] for each in records.payments if each["review_reason"] is not None}
    waiting = [
        *(("payment", each["id"], each) for each in records.payments if each["id"] not in held),
        *(
            ("attempt", each["reference"], each)
            for each in records.attempts
            if each["payment_id"] not in held
        ),
        *(("refund attempt", each["reference"], each) for each in records.refund_attempts),
        *(("callback", each["id"], each) for each in records.events),
    ]
    for kind, name, row in waiting:
        stands = row.get("outcome") or row["status"]
        if stands in _OPEN | _UNSETTLED | {"received", "unattributed"}:
            yield f"STUCK: {kind} {name} is still {stands}"


def _money_without_effect(records: Records, books: GatewayBooks) -> Iterator[str]:
    recorded = {(each["gateway"], each["gateway_transaction_id"]) for each in records.captures}
    for charge, transaction in books.transactions():
        if (charge.gateway, transaction.id) not in recorded:
            yield (
                f"MONEY WITHOUT EFFECT: {charge.gateway} took {transaction.amount} under"
                f" {charge.reference} ({transaction.id})"
            )


def _wrong_captures(records: Records, books: GatewayBooks) -> Iterator[str]:
    taken = {(charge.gateway, each.id): each.amount for charge, each in books.transactions()}
    statuses = {each["id"]: each for each in records.payments}
    for capture in records.captures:
        payment = statuses[capture["payment_id"]]
        amount = taken.get((capture["gateway"], capture["gateway_transaction_id"]))
        if amount != _money(capture):
            yield f"capture {capture['id']} is {_money(capture)}, the gateway took {amount}"
        if capture["use"] == "held" and payment["review_reason"] is None:
            yield f"capture {capture['id']} is held, and nobody is asked about it"
        going = [
            _money(refund) for refund in records.refunds if refund["capture_id"] == capture["id"]
        ]
        excess = _money(capture, "excess_amount")
        if excess.minor and excess not in going:
            yield f"the surplus {excess} of capture {capture['id']} does not go back"


def _wrong_payments(records: Records) -> Iterator[str]:
    kept = Counter(each["payment_id"] for each in records.captures if each["use"] == "kept")
    granted = Counter(
        each["payment_id"] for each in records.history if each["action"] == "tier_granted"
    )
    facts = Counter((each["payment_id"], each["topic"]) for each in records.facts)
    for payment in records.payments:
        name, paid = f"payment {payment['id']}", payment["status"] in _PAID
        if kept[payment["id"]] != paid:
            yield f"CHARGES KEPT: {name} is {payment['status']} with {kept[payment['id']]}"
        if granted[payment["id"]] != paid:
            yield f"{name} is {payment['status']} and was granted {granted[payment['id']]} times"
        told = facts[payment["id"], "payment.completed"]
        if told != paid:
            yield f"{name} is {payment['status']} and others were told {told} times"
    bought = Counter(
        (each["user_id"], each["new_tier"], each["billing_cycle"])
        for each in records.payments
        if kept[each["id"]] and each["status"] != "refunded"
    )
    for purchase, times in bought.items():
        if times > 1:
            yield f"DOUBLE CHARGE KEPT: {purchase} was bought {times} times"


def _wrong_refunds(records: Records, books: GatewayBooks) -> Iterator[str]:
    ours = defaultdict(set)
    for attempt in records.refund_attempts:
        ours[attempt["refund_id"]].add((attempt["gateway"], attempt["reference"]))
    known = {place for places in ours.values() for place in places}
    sent = Counter((each.gateway, each.reference) for each in books.refunds)
    for place, times in sent.items():
        if place not in known:
            yield f"REFUND WITHOUT RECORD: {place}"
        if times > 1:
            yield f"REFUND SENT TWICE: {place} was sent {times} times"
    for refund in records.refunds:
        arrived = [
            each
            for each in books.refunds
            if (each.gateway, each.reference) in ours[refund["id"]] and each.arrived
        ]
        if len(arrived) != (refund["status"] == "succeeded"):
            yield f"refund {refund['id']} is {refund['status']}, and {len(arrived)} arrived"
        if any(each.amount != _money(refund) for each in arrived):
            yield f"refund {refund['id']} went back with another amount"


def _wrong_memberships(records: Records) -> Iterator[str]:
    statuses = {each["id"]: each["status"] for each in records.payments}
    has = {each["user_id"]: each for each in records.memberships}
    for membership in records.memberships:
        paid_by = statuses.get(membership["payment_id"] or "")
        if membership["tier"] != "free" and paid_by not in _PAID - {"refunded"}:
            yield f"{membership['user_id']} has {membership['tier']} that nobody paid for"
    for payment in records.payments:
        tier = has[payment["user_id"]]["tier"] if payment["user_id"] in has else "free"
        if payment["status"] in _PAID - {"refunded"} and tier != payment["new_tier"]:
            yield f"PAID AND NOT GRANTED: {payment['user_id']} has {tier}"


def _wrong_history(records: Records) -> Iterator[str]:
    """Yield payments whose moves are not one unbroken path to where they stand."""
    at = {each["id"]: "pending" for each in records.payments}
    for entry in records.history:
        if entry["kind"] != "move":
            continue
        if at[entry["payment_id"]] != entry["from_status"]:
            yield (
                f"HISTORY: payment {entry['payment_id']} moves from {entry['from_status']},"
                f" and was {at[entry['payment_id']]}"
            )
        at[entry["payment_id"]] = entry["to_status"]
    for payment in records.payments:
        if at[payment["id"]] != payment["status"]:
            yield (
                f"HISTORY: payment {payment['id']} is {payment['status']}, its history says"
                f" {at[payment['id']]}"
            )


def _wrong_ledger(records: Records, books: GatewayBooks) -> Iterator[str]:
    entries: Counter[tuple[str, str]] = Counter()
    accounts: Counter[tuple[str, str]] = Counter()
    for line in records.lines:
        minor = _money(line).minor
        entries[line["entry_id"], line["currency"]] += minor
        accounts[line["account"], line["currency"]] += minor
    for entry, total in entries.items():
        if total:
            yield f"LEDGER: entry {entry} does not balance"
    currencies = {charge.amount.currency for charge in books.charges.values()}
    for gateway in NAMES:
        for currency in currencies:
            ours, theirs = accounts[clearing(gateway), currency], books.balance(gateway, currency)
            if ours != theirs:
                yield f"LEDGER: {gateway} owes us {theirs} {currency}, our books say {ours}"
