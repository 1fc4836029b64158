"""What must hold of the money at the end of every story, read from the tables with plain SQL."""

from tests.operations.witness import Witness

_UNBALANCED = """
SELECT entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0
"""
# What each account must hold, worked out from captures and refunds, against what it does hold.
_WRONG_ACCOUNTS = """
WITH returned AS (
    SELECT refund_attempts.gateway, currency, amount, purpose
    FROM refund_attempts JOIN refunds ON refunds.id = refund_id WHERE outcome = 'succeeded'
), lines AS (
    SELECT 'clearing:' || gateway AS account, currency, amount FROM captures
    UNION ALL SELECT 'clearing:' || gateway, currency, -fee_amount FROM captures
        WHERE fee_amount IS NOT NULL
    UNION ALL SELECT 'expense:gateway_fees', currency, fee_amount FROM captures
        WHERE fee_amount IS NOT NULL
    UNION ALL SELECT 'revenue:memberships', currency, excess_amount - amount FROM captures
        WHERE use = 'kept'
    UNION ALL SELECT 'liability:surplus', currency, -excess_amount FROM captures
    UNION ALL SELECT 'liability:held_for_review', currency, -amount FROM captures
        WHERE use = 'held'
    UNION ALL SELECT 'clearing:' || gateway, currency, -amount FROM returned
    UNION ALL SELECT CASE purpose WHEN 'surplus' THEN 'liability:surplus'
        ELSE 'revenue:memberships' END, currency, amount FROM returned
    UNION ALL SELECT account, currency, -amount
        FROM journal_lines JOIN journal_entries ON journal_entries.id = entry_id
        WHERE kind <> 'refund_fee'
)
SELECT account, currency, sum(amount) AS difference FROM lines
GROUP BY account, currency HAVING sum(amount) <> 0
"""
_SURPLUS_WITHOUT_REFUND = """
SELECT id FROM captures WHERE excess_amount <> (
    SELECT coalesce(sum(amount), 0) FROM refunds
    WHERE capture_id = captures.id AND purpose = 'surplus'
)
"""
_MORE_ON_ITS_WAY_BACK_THAN_TAKEN = """
SELECT id FROM captures WHERE amount < (
    SELECT coalesce(sum(amount), 0) FROM refunds
    WHERE capture_id = captures.id AND status IN ('pending', 'processing')
)
"""
_GRANTED_NOT_ONCE_FOR_KEPT_MONEY = """
SELECT id FROM creators_membership payment WHERE
    (SELECT count(*) FROM captures WHERE payment_id = payment.id AND use = 'kept')
    <> (SELECT count(*) FROM payment_audit_log
        WHERE payment_id = payment.id AND action = 'tier_granted')
"""
_TWO_CAN_BE_PAID = """
SELECT payment_id FROM payment_attempts WHERE outcome IN ('sending', 'live', 'unknown')
GROUP BY payment_id HAVING count(*) > 1
"""
# What can still take or return money is asked about again at some time, or staff see it.
_FORGOTTEN = """
SELECT reference FROM payment_attempts
    WHERE outcome IN ('sending', 'live', 'unknown') AND next_check_at IS NULL
UNION ALL SELECT reference FROM refund_attempts
    WHERE outcome NOT IN ('succeeded', 'failed') AND next_check_at IS NULL
"""
_PROMISES = {
    "an entry of the journal does not balance": _UNBALANCED,
    "an account does not hold what was captured and returned": _WRONG_ACCOUNTS,
    "money that nobody needed does not go back": _SURPLUS_WITHOUT_REFUND,
    "more goes back than was taken": _MORE_ON_ITS_WAY_BACK_THAN_TAKEN,
    "kept money did not grant its tier exactly once": _GRANTED_NOT_ONCE_FOR_KEPT_MONEY,
    "two attempts of a payment can take money": _TWO_CAN_BE_PAID,
    "something under way is never looked at again": _FORGOTTEN,
}


async def broken_promises(witness: Witness) -> list[str]:
    """Return which promises about money do not hold, with the rows that show it."""
    found = {promise: await witness.rows(query) for promise, query in _PROMISES.items()}
    return [f"{promise}: {[dict(row) for row in rows]}" for promise, rows in found.items() if rows]
