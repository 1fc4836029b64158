"""A gateway's record, between the messages of `gateways.v1` and our dataclasses."""

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_adapters.charges import Outcome
from gateway_adapters.messages import write_charge, write_money, write_outcome, write_time
from gateway_adapters.records import Period, Record, RecordPage, SettlementPage, SettlementRecord
from gateway_adapters.request_checks import Checks
from kit.errors import InvalidRequestError
from protos.gateways.v1 import gateway_service_pb2 as pb


def read_period(request: pb.ListTransactionsRequest | pb.ListSettlementsRequest) -> Period:
    """Read what to list. Raises `InvalidRequestError`."""
    checks = Checks()
    # "from" is a word of the language, so it cannot be read with a dot.
    begin: Timestamp | None = getattr(request, "from") if request.HasField("from") else None
    start = checks.time(begin, "from")
    end = checks.time(request.to if request.HasField("to") else None, "to")
    if start and end:
        checks.require(start < end, "to", "after from")
    checks.identifier(request.page_token, "page_token")
    if checks.violations or start is None or end is None:
        raise InvalidRequestError(checks.violations)
    return Period(start=start, end=end, page_token=request.page_token)


def write_records(page: RecordPage) -> pb.ListTransactionsResponse:
    """Write one page of a gateway's record."""
    return pb.ListTransactionsResponse(
        outcome=write_outcome(Outcome.SUCCEEDED),
        transactions=[_write_record(each) for each in page.records],
        next_page_token=page.next_page_token,
    )


def write_settlements(page: SettlementPage) -> pb.ListSettlementsResponse:
    """Write one page of settlements."""
    return pb.ListSettlementsResponse(
        outcome=write_outcome(Outcome.SUCCEEDED),
        settlements=[_write_settlement(each) for each in page.settlements],
        next_page_token=page.next_page_token,
    )


def _write_record(record: Record) -> pb.Transaction:
    return pb.Transaction(
        outcome=write_outcome(record.outcome),
        charge=write_charge(record.charge),
        create_time=write_time(record.create_time),
        kind=pb.TransactionKind.Value(f"TRANSACTION_KIND_{record.kind.name}"),
        charge_transaction_id=record.charge_transaction_id,
    )


def _write_settlement(settlement: SettlementRecord) -> pb.Settlement:
    return pb.Settlement(
        settlement_id=settlement.settlement_id,
        net=write_money(settlement.net),
        gross=write_money(settlement.gross),
        fees=write_money(settlement.fees),
        refunds=write_money(settlement.refunds),
        chargebacks=write_money(settlement.chargebacks),
        settle_time=write_time(settlement.settle_time),
        lines=[
            pb.SettlementLine(
                gateway_transaction_id=line.gateway_transaction_id,
                reference=line.reference,
                gross=write_money(line.gross),
                fee=write_money(line.fee),
            )
            for line in settlement.lines
        ],
    )
