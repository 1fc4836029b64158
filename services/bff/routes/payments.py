"""Buying a membership and following the payment. Amounts never come from a page."""

from collections.abc import Collection, Sequence

from msgspec import UNSET
from starlette.responses import Response

from kit.return_urls import may_return_to
from protos.common.v1.customer_pb2 import Customer
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_UNSPECIFIED
from services.bff.documents import CustomerBody, PaymentBody, PaymentDocument, PaymentsDocument
from services.bff.endpoints import Asked, Endpoint, Parameter, json_answer
from services.bff.mapping import CYCLES, METHODS, STATUSES, payment_document
from services.bff.payments_client import PaymentsClient
from services.bff.problems import invalid

_MAX_PAGE_SIZE = 200
_PAGE_PARAMETERS = (
    Parameter(
        name="status",
        description="Only payments in this status.",
        schema={"type": "string", "enum": list(STATUSES)},
    ),
    Parameter(
        name="page_size",
        description="At most this many; 50 by default.",
        schema={"type": "integer", "minimum": 1, "maximum": _MAX_PAGE_SIZE},
    ),
    Parameter(
        name="page_token",
        description="`next_page_token` of the page before, with the same status.",
        schema={"type": "string", "maxLength": 500},
    ),
)


def payment_endpoints(
    payments: PaymentsClient, default_currency: str, return_origins: Collection[str]
) -> Sequence[Endpoint]:
    """Return the endpoints of buying and reading.

    `default_currency`: ISO 4217 code for what names none. `return_origins`: where a gateway's page
    may send the member; nowhere but to the default address when empty.
    """

    async def create(asked: Asked) -> Response:
        body: PaymentBody = asked.body
        request = pb.CreatePaymentRequest(
            user_id=asked.member.user_id,
            tier=body.tier,
            billing_cycle=CYCLES[body.billing_cycle],
            payment_method=METHODS[body.payment_method],
            currency_code=body.currency_code or default_currency,
            customer=_customer(body.customer),
            return_url=_return_url(body, return_origins),
            idempotency_key=asked.key,
            payment_option=body.payment_option or "",
            mobile_money_network=body.mobile_money_network or "",
        )
        payment = await payments.create(asked.member, request)
        document = payment_document(payment, asked.language)
        return json_answer(
            asked, document, status=201, location=f"/api/payments/{payment.payment_id}"
        )

    buy = Endpoint(
        method="POST",
        path="/api/payments",
        summary="Buy a membership; the same Idempotency-Key and body get the same payment",
        handle=create,
        body=PaymentBody,
        answer=PaymentDocument,
        status=201,
        keyed=True,
        reaches_gateway=True,
        problems=[400, 403, 409],
    )
    return [buy, *_reading(payments)]


def _reading(payments: PaymentsClient) -> Sequence[Endpoint]:
    async def show(asked: Asked) -> Response:
        payment = await payments.get(asked.member, asked.request.path_params["id"])
        return json_answer(asked, payment_document(payment, asked.language))

    async def list_payments(asked: Asked) -> Response:
        page = await payments.list(asked.member, _list_request(asked))
        document = PaymentsDocument(
            payments=[payment_document(each, asked.language) for each in page.payments],
            next_page_token=page.next_page_token,
        )
        return json_answer(asked, document)

    return [
        Endpoint(
            method="GET",
            path="/api/payments",
            summary="The member's payments, newest first",
            handle=list_payments,
            answer=PaymentsDocument,
            parameters=_PAGE_PARAMETERS,
            problems=[400],
        ),
        Endpoint(
            method="GET",
            path="/api/payments/{id}",
            summary="One payment",
            handle=show,
            answer=PaymentDocument,
            problems=[400, 404],
        ),
    ]


def _customer(body: CustomerBody) -> Customer:
    return Customer(
        email=body.email,
        name=body.name,
        phone_number=body.phone_number or "",
        country_code=body.country_code or "",
    )


def _return_url(body: PaymentBody, origins: Collection[str]) -> str:
    if body.return_url is UNSET or not body.return_url:
        return ""
    if not may_return_to(body.return_url, origins):
        raise invalid("return_url", "must be a plain address of an allowed origin")
    return body.return_url


def _list_request(asked: Asked) -> pb.ListPaymentsRequest:
    query = asked.request.query_params
    status, size = query.get("status", ""), query.get("page_size", "")
    if status and status not in STATUSES:
        raise invalid("status", f"must be one of: {', '.join(STATUSES)}")
    if size and not (size.isascii() and size.isdecimal() and 1 <= int(size[:4]) <= _MAX_PAGE_SIZE):
        raise invalid("page_size", f"must be a whole number from 1 to {_MAX_PAGE_SIZE}")
    return pb.ListPaymentsRequest(
        user_id=asked.member.user_id,
        status=next(
            (number for name, number in STATUSES.items() if name == status),
            PAYMENT_STATUS_UNSPECIFIED,
        ),
        page_size=int(size or 0),
        page_token=query.get("page_token", ""),
    )
