"""Webhooks of the Flutterwave sandbox: who is told what, signed how (contract A14)."""

from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.bodies import legacy_webhook, webhook
from gateway_sandboxes.flutterwave.records import Transaction
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.json_http import dump_json
from gateway_sandboxes.notices import Dispatch, Notice
from gateway_sandboxes.webhooks import Outbox, Policy

SIGNATURE_HEADER = "verif-hash"
_OK = 200


def delivery_policy(behaviour: Behaviour) -> Policy:
    """Only exactly 200 counts as delivered."""
    return Policy(
        url=behaviour.webhook_url,
        timeout_seconds=behaviour.webhook_timeout_seconds,
        retry_seconds=behaviour.webhook_retry_seconds,
        accepts=lambda status: status == _OK,
    )


def announce(transaction: Transaction, outbox: Outbox, behaviour: Behaviour, url: str) -> None:
    """Tell the merchant about a decided attempt; of failed ones only where that is switched on."""
    if transaction.status == "successful" or behaviour.failed_webhooks:
        resend(transaction, outbox, behaviour, url)


def resend(transaction: Transaction, outbox: Outbox, behaviour: Behaviour, url: str) -> None:
    """Send the webhook of an attempt, whatever its status; `url` is where hosted pages live."""
    if behaviour.webhook_shape == "legacy":
        body = legacy_webhook(transaction)
    else:
        body = webhook(transaction, url, with_meta=behaviour.webhook_meta)
    headers = {"content-type": "application/json"}
    if behaviour.webhook_secret:
        headers[SIGNATURE_HEADER] = behaviour.webhook_secret
    notice = Notice(
        subject=Subject(
            reference=transaction.tx_ref, phone=transaction.phone, amount=transaction.amount
        ),
        event=f"charge.completed ({transaction.status})",
        body=dump_json(body),
        headers=headers,
        signature_header=SIGNATURE_HEADER,
    )
    outbox.send(Dispatch(notice=notice))
