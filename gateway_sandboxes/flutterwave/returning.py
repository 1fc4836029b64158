"""The way back to the merchant (contract A3.3)."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from gateway_sandboxes.flutterwave.records import Checkout, Transaction


def return_url(checkout: Checkout, paid_by: Transaction | None, paid_status: str) -> str | None:
    """Return where the payer goes once the session is over; None when the merchant gave no URL.

    `paid_status` is the word for a paid checkout; an existing query is kept as it is.
    """
    if checkout.order.redirect_url is None:
        return None
    result = {"status": "cancelled", "tx_ref": checkout.order.tx_ref}
    if checkout.state == "paid" and paid_by is not None:
        result |= {"status": paid_status, "transaction_id": str(paid_by.id)}
    elif checkout.failed_attempts:
        result["status"] = "failed"
    parts = urlsplit(checkout.order.redirect_url)
    query = f"{parts.query}&{urlencode(result)}" if parts.query else urlencode(result)
    return urlunsplit(parts._replace(query=query))
