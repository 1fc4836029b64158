"""MembershipsService."""

from typing import Any

from kit.errors import NotYetOfferedError
from protos.memberships.v1 import memberships_service_pb2 as pb
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceServicer
from services.payments import validation as v
from services.payments.mapping import CYCLES, membership_message, quote_message, tier_messages
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.memberships import get_membership, list_tiers, quote_upgrade


class MembershipsServicer(MembershipsServiceServicer):
    """Serves memberships.v1.MembershipsService; every call is documented in its proto."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def ListTiers(self, request: pb.ListTiersRequest, _context: Any) -> Any:
        """List tiers and prices."""
        v.check(request, v.CURRENCY)
        book = await list_tiers(self._deps, request.currency_code)
        return pb.ListTiersResponse(
            tiers=tier_messages(book, request.currency_code),
            price_book_version=book.version,
            currency_codes=book.currencies,
        )

    async def QuoteUpgrade(self, request: pb.QuoteUpgradeRequest, _context: Any) -> Any:
        """Price an upgrade."""
        v.check(request, v.USER_ID, v.TIER, v.BILLING_CYCLE, v.CURRENCY)
        v.require_own(request.user_id)
        quote = await quote_upgrade(
            self._deps, request.tier, CYCLES[request.billing_cycle], request.currency_code
        )
        return pb.QuoteUpgradeResponse(quote=quote_message(quote))

    async def GetMembership(self, request: pb.GetMembershipRequest, _context: Any) -> Any:
        """Read what a member has."""
        v.check(request, v.USER_ID)
        v.require_own(request.user_id)
        membership = await get_membership(self._deps, request.user_id)
        return pb.GetMembershipResponse(membership=membership_message(membership))

    async def CancelMembership(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("CancelMembership")

    async def ResumeMembership(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ResumeMembership")

    async def ListInvoices(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListInvoices")

    async def GetInvoice(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("GetInvoice")
