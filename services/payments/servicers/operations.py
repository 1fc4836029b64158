"""OperationsService: published, and not offered yet."""

from typing import Any

from kit.errors import NotYetOfferedError
from protos.operations.v1.operations_service_pb2_grpc import OperationsServiceServicer


class OperationsServicer(OperationsServiceServicer):
    """Serves operations.v1.OperationsService; every call is documented in its proto."""

    async def ListGatewayEvents(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListGatewayEvents")

    async def ReplayGatewayEvents(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ReplayGatewayEvents")

    async def ListUnattributedEvents(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListUnattributedEvents")

    async def AttributeEvent(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("AttributeEvent")

    async def ResolveReview(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ResolveReview")

    async def ListDisputes(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListDisputes")

    async def RunReconciliation(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("RunReconciliation")

    async def ListReconciliationBreaks(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListReconciliationBreaks")

    async def GetMetrics(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("GetMetrics")

    async def GetRevenueReport(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("GetRevenueReport")
