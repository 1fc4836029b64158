"""What payouts would cost: amounts, fees and the token that stands for them (section 7.1)."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import timedelta

from gateway_sandboxes.amounts import plain, rounded
from gateway_sandboxes.clock import Clock
from gateway_sandboxes.eversend.corridors import exchange_rate, home_of, payout_fee
from gateway_sandboxes.eversend.payout_reader import QuotationOrder
from gateway_sandboxes.eversend.records import Quotation
from gateway_sandboxes.eversend.replies import RefusedError
from gateway_sandboxes.json_http import dump_json
from gateway_sandboxes.store import Collection, Store

QUOTATION_SECONDS = 1800
_SIGNING_KEY = b"eversend-sandbox-quotation-key"


class Quotations:
    """Quotations by token, each good for one payout within half an hour."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._quotations = Collection(store, "quotations", Quotation)

    def quote(self, order: QuotationOrder) -> Quotation:
        """Quote a payout out of a wallet to a country and its currency."""
        source, destination = order.source_currency, order.destination_currency
        rate = exchange_rate(source, destination)
        source_amount = destination_amount = order.amount
        if order.amount_type == "SOURCE":
            destination_amount = rounded(order.amount * rate, destination)
        else:
            source_amount = rounded(order.amount / rate, source)
        now = self._clock.now()
        unsigned = Quotation(
            token="",
            source_country=home_of(source),
            source_currency=source,
            source_amount=source_amount,
            destination_country=order.destination_country,
            destination_currency=destination,
            destination_amount=destination_amount,
            exchange_rate=rate,
            fees=payout_fee(source_amount, source),
            amount_type=order.amount_type,
            amount=order.amount,
            expires_at=now + timedelta(seconds=QUOTATION_SECONDS),
        )
        quotation = replace(unsigned, token=_token(unsigned, int(now.timestamp())))
        return self._quotations.put(quotation.token, quotation)

    def find(self, token: str) -> Quotation | None:
        """Return the quotation behind a token, whatever became of it."""
        return self._quotations.get(token)

    def usable(self, token: str) -> Quotation:
        """Return the quotation behind a token that has not expired and was not used."""
        quotation = self._quotations.get(token)
        if quotation is None:
            raise RefusedError("Invalid quotation token", 401)
        if quotation.used:
            raise RefusedError("Quotation has already been used")
        if quotation.expires_at <= self._clock.now():
            raise RefusedError("Quotation has expired", 401)
        return quotation

    def use_up(self, quotation: Quotation) -> None:
        """Let no other payout have this quotation."""
        self._quotations.put(quotation.token, replace(quotation, used=True))


def quoted(quotation: Quotation) -> dict[str, str]:
    """Return a quotation as Eversend shows it: everything is a string."""
    return {
        "sourceCountry": quotation.source_country,
        "sourceCurrency": quotation.source_currency,
        "sourceAmount": plain(quotation.source_amount),
        "destinationCountry": quotation.destination_country,
        "destinationCurrency": quotation.destination_currency,
        "destinationAmount": f"{quotation.destination_amount:.2f}",
        "exchangeRate": plain(quotation.exchange_rate),
        "totalFees": plain(quotation.fees),
        "totalAmount": f"{quotation.total:.2f}",
        "type": "momo",
        "amountType": quotation.amount_type,
        "amount": plain(quotation.amount),
    }


def _token(quotation: Quotation, issued_at: int) -> str:
    """Write the quotation as a JSON Web Token signed by HS256 (RFC 7519).

    Its `jti` keeps two equal quotations of one second apart.
    """
    claims = {
        "quotation": quoted(quotation),
        "jti": secrets.token_hex(8),
        "iat": issued_at,
        "exp": issued_at + QUOTATION_SECONDS,
    }
    parts = (dump_json({"alg": "HS256", "typ": "JWT"}), dump_json(claims))
    signed = ".".join(_base64url(part) for part in parts)
    return f"{signed}.{_base64url(hmac.digest(_SIGNING_KEY, signed.encode(), hashlib.sha256))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
