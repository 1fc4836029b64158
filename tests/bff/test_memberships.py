"""Quotes, memberships and invoices over HTTP."""

import httpx
from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import ErrorCode, ServiceError
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.memberships.v1.membership_pb2 import MEMBERSHIP_STATUS_PAST_DUE, Membership
from tests.bff.conftest import logged_in
from tests.bff.scripted import ScriptedService


async def test_a_quote_is_for_the_member_and_in_a_currency(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    body = {"tier": "pro", "billing_cycle": "annual"}
    response = await bff.post("/api/quotes", headers=logged_in(), json=body)
    await bff.post("/api/quotes", headers=logged_in(), json=body | {"currency_code": "KES"})

    amount = {"currency_code": "UGX", "amount": "250000", "amount_minor": 250_000}
    assert response.json() == {
        "tier": "pro",
        "billing_cycle": "annual",
        "price": amount,
        "annual_savings": {"currency_code": "UGX", "amount": "50000", "amount_minor": 50_000},
        "annual_savings_basis_points": 1667,
        "proration_credit": {"currency_code": "UGX", "amount": "0", "amount_minor": 0},
        "amount_due": amount,
        "next_renewal_time": "2027-01-15T08:00:00.000Z",
    }
    asked = [(each.user_id, each.currency_code) for each in service.requests("QuoteUpgrade")]
    assert asked == [("alice", "UGX"), ("alice", "KES")]


async def test_a_membership_says_what_the_member_has(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    free = (await bff.get("/api/membership", headers=logged_in())).json()
    service.answers["GetMembership"] = memberships.GetMembershipResponse(
        membership=Membership(
            user_id="alice",
            tier="pro",
            status=MEMBERSHIP_STATUS_PAST_DUE,
            billing_cycle=BILLING_CYCLE_ANNUAL,
            current_period_start_time=Timestamp(seconds=1_790_000_000),
            current_period_end_time=Timestamp(seconds=1_800_000_000),
        )
    )
    paid = (await bff.get("/api/membership", headers=logged_in())).json()

    assert free == {
        "tier": "free",
        "status": "active",
        "billing_cycle": None,
        "current_period_start_time": None,
        "current_period_end_time": None,
    }
    assert paid == {
        "tier": "pro",
        "status": "past_due",
        "billing_cycle": "annual",
        "current_period_start_time": "2026-09-21T14:13:20.000Z",
        "current_period_end_time": "2027-01-15T08:00:00.000Z",
    }


async def test_an_invoice_is_a_pdf_and_until_then_a_clear_501(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["GetInvoice"] = ServiceError(
        ErrorCode.UNIMPLEMENTED, "NOT_YET_OFFERED", "GetInvoice"
    )
    later = await bff.get("/api/invoices/i-1.pdf", headers=logged_in())
    service.answers["GetInvoice"] = memberships.GetInvoiceResponse(pdf=b"%PDF-1.7")
    now = await bff.get("/api/invoices/i-1.pdf", headers=logged_in())

    assert later.status_code == 501
    assert later.json()["reason"] == "NOT_YET_OFFERED"
    assert now.headers["content-type"] == "application/pdf"
    assert now.content == b"%PDF-1.7"
    assert {each.invoice_id for each in service.requests("GetInvoice")} == {"i-1"}
