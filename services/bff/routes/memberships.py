"""What an upgrade costs this member, what they have, and their invoices."""

from collections.abc import Sequence

from msgspec import UNSET
from starlette.responses import Response

from protos.memberships.v1.memberships_service_pb2 import QuoteUpgradeRequest
from services.bff.documents import MembershipDocument, QuoteBody, QuoteDocument
from services.bff.endpoints import Asked, Endpoint, json_answer
from services.bff.mapping import CYCLES, membership_document, quote_document
from services.bff.payments_client import PaymentsClient

_PDF = "application/pdf"


def membership_endpoints(payments: PaymentsClient, default_currency: str) -> Sequence[Endpoint]:
    """Return the endpoints; `default_currency` (ISO 4217) prices what names none."""

    async def quote(asked: Asked) -> Response:
        body: QuoteBody = asked.body
        request = QuoteUpgradeRequest(
            user_id=asked.member.user_id,
            tier=body.tier,
            billing_cycle=CYCLES[body.billing_cycle],
            currency_code=default_currency if body.currency_code is UNSET else body.currency_code,
        )
        return json_answer(asked, quote_document(body, await payments.quote(asked.member, request)))

    async def show_membership(asked: Asked) -> Response:
        return json_answer(asked, membership_document(await payments.membership(asked.member)))

    async def show_invoice(asked: Asked) -> Response:
        pdf = await payments.invoice(asked.member, asked.request.path_params["id"])
        return Response(pdf, media_type=_PDF)

    return [
        Endpoint(
            method="POST",
            path="/api/quotes",
            summary="What an upgrade costs now, and how much a year saves",
            handle=quote,
            body=QuoteBody,
            answer=QuoteDocument,
            problems=[400, 403],
        ),
        Endpoint(
            method="GET",
            path="/api/membership",
            summary="What the member has",
            handle=show_membership,
            answer=MembershipDocument,
        ),
        Endpoint(
            method="GET",
            path="/api/invoices/{id}.pdf",
            summary="One invoice as a PDF; not offered yet",
            handle=show_invoice,
            media_type=_PDF,
            problems=[400, 404, 501],
        ),
    ]
