"""What a member does with a payment that exists: verify, confirm, try again, cancel."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_UNSPECIFIED
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import Payment
from services.bff.documents import OtpBody, PaymentDocument, RetryBody
from services.bff.endpoints import Asked, Endpoint, json_answer
from services.bff.mapping import METHODS, payment_document
from services.bff.payments_client import PaymentsClient


def payment_step_endpoints(payments: PaymentsClient) -> Sequence[Endpoint]:
    """Return the endpoints."""

    async def verify(asked: Asked) -> Response:
        return _shown(asked, await payments.verify(asked.member, _id(asked)))

    async def submit_otp(asked: Asked) -> Response:
        body: OtpBody = asked.body
        request = pb.SubmitPaymentActionRequest(
            payment_id=_id(asked), otp=body.otp, idempotency_key=asked.key
        )
        return _shown(asked, await payments.submit_otp(asked.member, request))

    async def retry(asked: Asked) -> Response:
        body: RetryBody = asked.body
        request = pb.RetryPaymentRequest(
            payment_id=_id(asked),
            idempotency_key=asked.key,
            payment_method=(
                METHODS[body.payment_method] if body.payment_method else PAYMENT_METHOD_UNSPECIFIED
            ),
            payment_option=body.payment_option or "",
            mobile_money_network=body.mobile_money_network or "",
            phone_number=body.phone_number or "",
            country_code=body.country_code or "",
        )
        return _shown(asked, await payments.retry(asked.member, request))

    async def cancel(asked: Asked) -> Response:
        request = pb.CancelPaymentRequest(payment_id=_id(asked), idempotency_key=asked.key)
        return _shown(asked, await payments.cancel(asked.member, request))

    return [
        _step("verify", "Have the gateway asked now", verify, keyed=False),
        _step("otp", "Hand in the one-time password", submit_otp, body=OtpBody),
        _step("retry", "Start a new attempt, perhaps with another method", retry, body=RetryBody),
        _step("cancel", "Withdraw an open payment", cancel),
    ]


def _step(
    name: str, summary: str, handle: Any, *, keyed: bool = True, body: Any = None
) -> Endpoint:
    return Endpoint(
        method="POST",
        path=f"/api/payments/{{id}}/{name}",
        summary=summary,
        handle=handle,
        body=body,
        answer=PaymentDocument,
        keyed=keyed,
        reaches_gateway=True,
        problems=[400, 404, 409],
    )


def _id(asked: Asked) -> str:
    return str(asked.request.path_params["id"])


def _shown(asked: Asked, payment: Payment) -> Response:
    return json_answer(asked, payment_document(payment, asked.language))
