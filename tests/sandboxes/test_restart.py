"""What outlives a process when a state file is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway_sandboxes import eversend as eversend_sandbox
from gateway_sandboxes import flutterwave as flutterwave_sandbox
from tests.sandboxes.processes import ready_line, started
from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import EversendRig, FlutterwaveRig, exact

DEFAULTS = eversend_sandbox.Settings()
CREDENTIALS = (DEFAULTS.client_id, DEFAULTS.client_secret)


@asynccontextmanager
async def flutterwave_on(
    state: Path | None, webhook_url: str | None = None
) -> AsyncIterator[FlutterwaveRig]:
    behaviour = flutterwave_sandbox.Behaviour(webhook_url=webhook_url)
    settings = flutterwave_sandbox.Settings(
        port=0, control_port=0, state=state, behaviour=behaviour, public_url="http://pay.example"
    )
    async with flutterwave_sandbox.Sandbox(settings) as sandbox:
        rig = FlutterwaveRig(sandbox.gateway_url, sandbox.control_url, settings.secret_key)
        yield rig
        await rig.aclose()


@asynccontextmanager
async def eversend_on(state: Path) -> AsyncIterator[EversendRig]:
    settings = eversend_sandbox.Settings(port=0, control_port=0, state=state)
    async with eversend_sandbox.Sandbox(settings) as sandbox:
        rig = EversendRig(
            sandbox.gateway_url, sandbox.control_url, settings.client_id, settings.client_secret
        )
        yield rig
        await rig.aclose()


async def test_flutterwave_remembers_links_attempts_steps_and_the_webhook_log(
    tmp_path: Path,
) -> None:
    state = tmp_path / "sandboxes" / "flutterwave.sqlite"
    async with flutterwave_on(state) as rig:
        await rig.link("paid", meta={"rate": 1.5}, amount="12500.50", currency="NGN")
        await rig.steer("transactions/paid/complete")
        link = await rig.link("half-way")
        path = link.removeprefix("http://pay.example")
        await rig.submit(path, "card", card_number="5531886652142950")
        await rig.submit(path, "pin", pin="3310")
        before = await rig.look("transactions")
        verified = (await rig.verify("paid")).text
        webhooks = await rig.look("webhooks")

    async with flutterwave_on(state) as rig:
        assert await rig.look("transactions") == before
        assert (await rig.verify("paid")).text == verified
        assert await rig.look("webhooks") == webhooks
        await rig.submit(path, "otp", otp="12345")
        assert (await rig.look("transactions/half-way"))["successful_count"] == 1


async def test_flutterwave_still_ends_a_session_that_began_before_the_restart(
    tmp_path: Path,
) -> None:
    state = tmp_path / "flutterwave.sqlite"
    async with flutterwave_on(state) as rig:
        link = await rig.link(configurations={"session_duration": 10})
        await rig.api.get(link.removeprefix("http://pay.example"))
        await rig.steer("clock", advance_seconds=590)

    async with flutterwave_on(state) as rig:
        (charge,) = await rig.charges("ref-1", "link")
        assert charge["status"] == "open"
        await rig.steer("clock", advance_seconds=11)
        (charge,) = await rig.charges("ref-1", "link")
        assert charge["status"] == "expired"


async def test_flutterwave_still_finishes_refunds_chargebacks_and_keeps_settlements(
    tmp_path: Path,
) -> None:
    state = tmp_path / "flutterwave.sqlite"
    async with flutterwave_on(state) as rig:
        await rig.link()
        await rig.steer("transactions/ref-1/complete")
        number = (await rig.verify()).json()["data"]["id"]
        await rig.api.post(f"/v3/transactions/{number}/refund", json={"amount": 10000})
        await rig.steer("transactions/ref-1/chargeback")
        (settled,) = (await rig.steer("settlements"))["settlements"]
        before = await rig.look("transactions/ref-1")

    async with flutterwave_on(state) as rig:
        assert await rig.look("transactions/ref-1") == before
        found = await rig.api.get(f"/v3/settlements/{settled['id']}")
        assert exact(found)["data"] == settled
        assert (await rig.steer("settlements"))["settlements"] == []
        await rig.steer("clock", advance_seconds=49 * 3600)
        after = await rig.look("transactions/ref-1")
        assert [each["status"] for each in after["refunds"]] == ["completed-mpgs"]
        assert [each["status"] for each in after["chargebacks"]] == ["lost"]


async def test_a_webhook_that_was_waiting_is_tried_by_the_next_process(
    tmp_path: Path, receiver: Receiver
) -> None:
    state = tmp_path / "flutterwave.sqlite"
    receiver.answers.append(503)
    async with flutterwave_on(state, receiver.url) as rig:
        await rig.link()
        await rig.steer("transactions/ref-1/complete")
        await rig.deliveries("waiting")

    async with flutterwave_on(state, receiver.url) as rig:
        await rig.steer("clock", advance_seconds=1801)
        (delivered,) = await rig.deliveries("delivered")

    assert [entry["status"] for entry in delivered["tries"]] == [503, 200]


async def test_eversend_remembers_tokens_transactions_wallets_and_plans(tmp_path: Path) -> None:
    state = tmp_path / "eversend.sqlite"
    async with eversend_on(state) as rig:
        await rig.authorize()
        token = rig.api.headers["authorization"]
        paid = await rig.collected("paid")
        await rig.steer("transactions/paid/complete")
        await rig.collected("asked")
        await rig.collected("planned", phone="+256772000005")
        found = await rig.transaction(paid)

    async with eversend_on(state) as rig:
        rig.api.headers["authorization"] = token
        assert await rig.transaction(paid) == found
        wallet = (await rig.api.get("/v1/wallets/UGX")).json()["data"]["wallet"]
        assert wallet["amount"] == 1275000
        assert "UGX 25,000" in (await rig.api.get("/phone/+256772123456")).text
        await rig.steer("clock", advance_seconds=60)
        assert (await rig.look("transactions/planned"))["successful_count"] == 1
        await rig.steer("clock", advance_seconds=900)
        (asked,) = await rig.charges("asked", "collection")
        assert asked["status"] == "failed"


async def test_a_killed_process_forgets_nothing_it_has_answered(tmp_path: Path) -> None:
    settings = {"PORT": "0", "CONTROL_PORT": "0", "STATE": str(tmp_path / "eversend.sqlite")}
    async with started("eversend", **settings) as process:
        ready = await ready_line(process)
        rig = EversendRig(ready["gateway_url"], ready["control_url"], *CREDENTIALS)
        await rig.authorize()
        transaction_id = await rig.collected()
        process.kill()
        await rig.aclose()

    async with eversend_on(Path(settings["STATE"])) as rig:
        await rig.authorize()
        assert (await rig.transaction(transaction_id))["status"] == "pending"


async def test_a_reset_empties_the_file_too(tmp_path: Path) -> None:
    state = tmp_path / "eversend.sqlite"
    async with eversend_on(state) as rig:
        await rig.authorize()
        await rig.collected()
        await rig.steer("clock", advance_seconds=100)
        await rig.steer("reset")

    async with eversend_on(state) as rig:
        assert (await rig.look("transactions"))["transactions"] == []
        assert (await rig.look("clock"))["offset_seconds"] == 0


async def test_ids_never_repeat_over_a_reset_or_a_restart_without_memory() -> None:
    async def one_id(rig: FlutterwaveRig) -> int:
        await rig.link()
        await rig.steer("transactions/ref-1/complete")
        return int((await rig.verify()).json()["data"]["id"])

    async with flutterwave_on(None) as rig:
        first = await one_id(rig)
        await rig.steer("reset")
        second = await one_id(rig)
    async with flutterwave_on(None) as rig:
        third = await one_id(rig)

    assert first < second < third
