"""Webhooks of the Flutterwave sandbox: who is told what, signed how (contract A14)."""

from dataclasses import replace

from gateway_sandboxes.flutterwave.bodies import legacy_webhook, webhook
from gateway_sandboxes.flutterwave.records import Refund, Transaction
from gateway_sandboxes.flutterwave.refund_bodies import refund_webhook
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.subjects import subject_of
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
    notice = Notice(
        subject=subject_of(transaction),
        event=f"charge.completed ({transaction.status})",
        body=dump_json(body),
        headers=_headers(behaviour),
        signature_header=SIGNATURE_HEADER,
    )
    outbox.send(Dispatch(notice=notice))


def announce_refund(
    refund: Refund, transaction: Transaction, outbox: Outbox, behaviour: Behaviour
) -> None:
    """Tell the merchant what became of a refund (A14).

    The general webhook is off until support switches it on; a refund's own `callbackurl` works
    without.
    """
    notice = Notice(
        subject=subject_of(transaction, amount=refund.amount),
        event=f"refund ({refund.status})",
        body=dump_json(refund_webhook(refund)),
        headers=_headers(behaviour),
        signature_header=SIGNATURE_HEADER,
    )
    if refund.callback_url:
        outbox.send(Dispatch(notice=replace(notice, url=refund.callback_url)))
    if behaviour.refund_webhooks:
        outbox.send(Dispatch(notice=notice))


def _headers(behaviour: Behaviour) -> dict[str, str]:
    signature = {SIGNATURE_HEADER: behaviour.webhook_secret} if behaviour.webhook_secret else {}
    return {"content-type": "application/json", **signature}
