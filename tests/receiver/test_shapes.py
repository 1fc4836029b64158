"""Every shape in which the two gateways write about an event, and events that nobody knows."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from gateway_adapters.callbacks import CallbackVerifier
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import V4_BODY, Headers, signed, v4_signature
from tests.receiver.scripted_payments import ScriptedPayments

REFERENCE = "cpshape00000000000000000001"
FORM = [(b"content-type", b"application/x-www-form-urlencoded")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A body and what must be read from it."""

    gateway: str
    body: bytes
    event_type: str
    transaction: str
    reference: str = REFERENCE
    form: bool = False
    v4: bool = False

    @property
    def headers(self) -> Headers:
        proof = signed(self.gateway, self.body)
        if self.v4:
            proof = [(b"flutterwave-signature", v4_signature(self.body))]
        return [*proof, *(FORM if self.form else [])]


def _json(**members: object) -> bytes:
    return json.dumps(members).encode()


_V4_DATA = {"id": "chg_shape1", "reference": REFERENCE, "status": "succeeded"}
_LEGACY = {"id": "77", "txRef": REFERENCE, "flwRef": "FLW-1", "status": "successful"}
_EVERSEND = {"transactionId": "BE3SHAPE1", "transactionRef": REFERENCE, "status": "successful"}

CASES = {
    "v3": Case(
        gateway="flutterwave",
        body=_json(event="charge.completed", data={"id": 77, "tx_ref": REFERENCE}),
        event_type="charge.completed",
        transaction="77",
    ),
    "v3, the older spelling inside": Case(
        gateway="flutterwave",
        body=_json(event="charge.completed", data={"id": 77, "txRef": REFERENCE}),
        event_type="charge.completed",
        transaction="77",
    ),
    "v3, as a form": Case(
        gateway="flutterwave",
        body=urlencode(
            {"event": "charge.completed", "data[id]": "77", "data[tx_ref]": REFERENCE}
        ).encode(),
        event_type="charge.completed",
        transaction="77",
        form=True,
    ),
    "legacy": Case(
        gateway="flutterwave",
        body=_json(**_LEGACY),
        event_type="legacy.charge",
        transaction="77",
    ),
    "legacy, as a form": Case(
        gateway="flutterwave",
        body=urlencode(
            {**_LEGACY, "customer[email]": "member@example.com", "event.type": "CARD TRANSACTION"}
        ).encode(),
        event_type="legacy.charge",
        transaction="77",
        form=True,
    ),
    "legacy transfer": Case(
        gateway="flutterwave",
        body=_json(transfer={"id": 5}, **{"event.type": "Transfer"}),
        event_type="Transfer",
        transaction="",
        reference="",
    ),
    "refund": Case(
        gateway="flutterwave",
        body=_json(id=5, AmountRefunded=10.5, status="completed", FlwRef="F", TransactionId=77),
        event_type="refund",
        transaction="77",
        reference="",
    ),
    "refund, wrapped": Case(
        gateway="flutterwave",
        body=_json(event="refund.completed", data={"id": 5, "tx_id": 77}),
        event_type="refund.completed",
        transaction="77",
        reference="",
    ),
    "virtual card": Case(
        gateway="flutterwave",
        body=_json(CardId="c", MaskedPan="4000****0000", Otp="000000"),
        event_type="virtual_card",
        transaction="",
        reference="",
    ),
    "dashboard probe": Case(
        gateway="flutterwave",
        body=_json(event="test_assess"),
        event_type="test_assess",
        transaction="",
        reference="",
    ),
    "v4, webhook_id and timestamp": Case(
        gateway="flutterwave",
        body=_json(webhook_id="wbk_1", timestamp=1_795_431_600_250, type="charge.completed",
                   data=_V4_DATA),
        event_type="charge.completed",
        transaction="chg_shape1",
        v4=True,
    ),
    "v4, id and seconds": Case(
        gateway="flutterwave",
        body=_json(id="wbk_1", created_datetime=1_795_431_600.25, type="charge.completed",
                   data=_V4_DATA),
        event_type="charge.completed",
        transaction="chg_shape1",
        v4=True,
    ),
    "v4, id and ISO time": Case(
        gateway="flutterwave",
        body=_json(id="wbk_1", created_datetime="2026-11-23T11:00:00.250Z",
                   type="charge.completed", data=_V4_DATA),
        event_type="charge.completed",
        transaction="chg_shape1",
        v4=True,
    ),
    "v4 refund": Case(
        gateway="flutterwave",
        body=_json(webhook_id="wbk_2", type="refund.completed",
                   data={"id": "rfd_1", "charge_id": "chg_shape1", "status": "succeeded"}),
        event_type="refund.completed",
        transaction="chg_shape1",
        reference="",
        v4=True,
    ),
    "Eversend, flat": Case(
        gateway="eversend",
        body=_json(eventType="wallet.load", type="collection", **_EVERSEND),
        event_type="wallet.load",
        transaction="BE3SHAPE1",
    ),
    "Eversend, nested": Case(
        gateway="eversend",
        body=_json(type="transaction.success", data=_EVERSEND),
        event_type="transaction.success",
        transaction="BE3SHAPE1",
    ),
    "Eversend, nested twice": Case(
        gateway="eversend",
        body=_json(event="collection.success", data={"transaction": _EVERSEND}),
        event_type="collection.success",
        transaction="BE3SHAPE1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_every_known_shape_is_recorded_as_what_it_says(
    receiver: Receiver, payments: ScriptedPayments, case: Case
) -> None:
    with capture_logs() as logs:
        response = await receiver.deliver(case.gateway, case.headers, case.body)

    assert response.status_code == 200
    (event,) = payments.received
    assert event.raw_body == case.body
    assert event.event_type == case.event_type
    assert event.gateway_transaction_id == case.transaction
    assert event.reference == case.reference
    assert not [line for line in logs if line["log_level"] in ("warning", "error")]


@pytest.mark.parametrize(
    ("members", "sent"),
    [
        ({"timestamp": 1_795_431_600_250}, datetime(2026, 11, 23, 11, 0, 0, 250_000, UTC)),
        ({"created_datetime": 1_795_431_600.25}, datetime(2026, 11, 23, 11, 0, 0, 250_000, UTC)),
        ({"created_datetime": 1_795_431_600}, datetime(2026, 11, 23, 11, tzinfo=UTC)),
        ({"created_datetime": "2026-11-23T11:00:00Z"}, datetime(2026, 11, 23, 11, tzinfo=UTC)),
        ({"created_datetime": "2026-11-23T14:00:00+03:00"}, datetime(2026, 11, 23, 11, tzinfo=UTC)),
        ({"timestamp": 0}, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"timestamp": 253_402_300_799_000}, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ({"timestamp": 253_402_300_800_000}, None),
        ({"timestamp": -1}, None),
        ({"timestamp": True}, None),
        ({"timestamp": 10**99}, None),
        ({"created_datetime": "2026-11-23T11:00:00"}, None),
        ({"created_datetime": "yesterday"}, None),
        ({"created_datetime": [1]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_time_of_sending_is_read_in_both_documented_ways(
    verifiers: dict[str, CallbackVerifier], members: dict[str, object], sent: datetime | None
) -> None:
    body = _json(webhook_id="wbk_1", type="charge.completed", data=_V4_DATA, **members)
    assert verifiers["flutterwave"].parse(body, []).sent_time == sent


@pytest.mark.parametrize("gateway", ["flutterwave", "eversend"])
async def test_an_event_that_nobody_knows_is_recorded_and_can_be_seen(
    receiver: Receiver, payments: ScriptedPayments, gateway: str
) -> None:
    body = _json(event="something.new", data={"id": 1})
    with capture_logs() as logs:
        response = await receiver.deliver(gateway, signed(gateway, body), body)

    assert response.status_code == 200
    assert payments.received[0].event_type == "something.new"
    (line,) = [line for line in logs if line["event"] == "delivery_not_recognised"]
    assert (line["gateway"], line["event_type"]) == (gateway, "something.new")


@pytest.mark.parametrize("gateway", ["flutterwave", "eversend"])
async def test_a_body_that_cannot_be_read_is_recorded_and_somebody_is_told(
    receiver: Receiver, payments: ScriptedPayments, gateway: str
) -> None:
    body = b'{"event":"charge.completed","data":'
    with capture_logs() as logs:
        response = await receiver.deliver(gateway, signed(gateway, body), body)

    assert response.status_code == 200
    assert payments.received[0].event_type == "unreadable"
    (line,) = [line for line in logs if line["event"] == "delivery_unreadable"]
    assert line["alert"] is True
    assert body.decode() not in str(line)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"a", b"a=1&a=2", b"a=%zz", b"a=%", b"a=%ff", b"a=\xc3\xa9", b"a=1 2", b"a[=1",
        b"a]=1", b"a[]=1", b"=1", b"a=1&a[b]=2", b"a[b]=2&a=1", b"a[b][c][d][e]=1", b"a=%00",
        b"%00=1", b"a" * 200 + b"=1", b"&".join(b"f%d=1" % n for n in range(201)),
        b'{"id":1,"txRef":"x","flwRef":"y"}', b"a=1\n", b"\xef\xbb\xbfa=1",
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
async def test_a_form_that_could_be_read_in_two_ways_is_unreadable(
    receiver: Receiver, payments: ScriptedPayments, body: bytes
) -> None:
    response = await receiver.deliver("flutterwave", [*signed("flutterwave"), *FORM], body)

    assert response.status_code == 200
    assert payments.received[0].event_type == "unreadable"
    assert payments.received[0].raw_body == body


async def test_what_a_signature_covers_is_known_by_its_id_and_status_alone(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    again = V4_BODY.replace(b"1795431600250", b"1795433400250")
    headers = [[(b"flutterwave-signature", v4_signature(body))] for body in (V4_BODY, again)]
    first, second = (
        verifiers["flutterwave"].parse(body, signature)
        for body, signature in zip((V4_BODY, again), headers, strict=True)
    )
    assert first.event_key == second.event_key == "v4:wbk_5sandbox0001:succeeded"


async def test_the_same_body_under_a_header_that_covers_nothing_has_another_key(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    verifier = verifiers["flutterwave"]
    real = verifier.parse(V4_BODY, [(b"flutterwave-signature", v4_signature())])
    forged = verifier.parse(V4_BODY, signed("flutterwave"))
    assert forged.event_key != real.event_key
    assert forged.event_key.count(":") > real.event_key.count(":")
