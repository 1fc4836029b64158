"""Webhooks of the Eversend sandbox: both body shapes, both signatures (section 8)."""

import hashlib
import hmac

from gateway_sandboxes.eversend.bodies import flat_webhook, nested_webhook
from gateway_sandboxes.eversend.ledger import subject_of
from gateway_sandboxes.eversend.records import Row
from gateway_sandboxes.eversend.settings import Behaviour
from gateway_sandboxes.json_http import dump_json
from gateway_sandboxes.notices import Dispatch, Notice
from gateway_sandboxes.webhooks import Outbox, Policy

SIGNATURE_HEADER = "X-Eversend-Signature"


def delivery_policy(behaviour: Behaviour) -> Policy:
    """Any 2xx in time counts as delivered."""
    return Policy(
        url=behaviour.webhook_url,
        timeout_seconds=behaviour.webhook_timeout_seconds,
        retry_seconds=behaviour.webhook_retry_seconds,
        accepts=lambda status: status // 100 == 2,  # noqa: PLR2004 - the class of successes
    )


def announce(row: Row, outbox: Outbox, behaviour: Behaviour) -> None:
    """Tell the merchant about a decision, as often as the row's fate says."""
    nested = behaviour.webhook_shape == "nested"
    content = nested_webhook(row) if nested else flat_webhook(row)
    body = dump_json(content)
    notice = Notice(
        subject=subject_of(row),
        event=str(content["type"] if nested else content["eventType"]),
        body=body,
        headers={
            "content-type": "application/json",
            SIGNATURE_HEADER: signature(body, behaviour),
        },
        signature_header=SIGNATURE_HEADER,
    )
    outbox.send(Dispatch(notice=notice, copies=row.webhook_copies))


def signature(body: bytes, behaviour: Behaviour) -> str:
    """Sign the raw bytes: HMAC-SHA512 by the secret, or the plain hash of the documented sample."""
    if behaviour.signature_mode == "sha512-unkeyed":
        return hashlib.sha512(body).hexdigest()
    return hmac.new(behaviour.webhook_secret.encode(), body, hashlib.sha512).hexdigest()
