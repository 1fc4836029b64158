"""A running sandbox in a test's hands: one client for each port, and words for what tests do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx

WAIT_SECONDS = 5


class Rig:
    """The gateway's port (`api`) and the control port (`control`) of one sandbox."""

    def __init__(self, gateway_url: str, control_url: str) -> None:
        self.gateway_url = gateway_url
        self.api = httpx.AsyncClient(base_url=gateway_url, trust_env=False, timeout=10)
        self.control = httpx.AsyncClient(base_url=control_url, trust_env=False, timeout=10)

    async def aclose(self) -> None:
        await self.api.aclose()
        await self.control.aclose()

    async def steer(self, path: str, **body: object) -> dict[str, Any]:
        """Post to the control API and expect success."""
        reply = await self.control.post(f"/_sandbox/{path}", json=body)
        assert reply.is_success, reply.text
        return exact(reply)

    async def look(self, path: str) -> dict[str, Any]:
        """Get from the control API and expect success."""
        reply = await self.control.get(f"/_sandbox/{path}")
        assert reply.is_success, reply.text
        return exact(reply)

    async def fault(self, name: str, **more: object) -> None:
        await self.steer("faults", fault=name, **more)

    async def fired(self) -> list[int]:
        """Return how often each fault that is set has fired."""
        return [entry["fired"] for entry in (await self.look("faults"))["faults"]]

    async def charges(self, reference: str, kind: str) -> list[dict[str, Any]]:
        summary = await self.look(f"transactions/{reference}")
        return [charge for charge in summary["charges"] if charge["kind"] == kind]

    async def deliveries(self, *states: str) -> list[dict[str, Any]]:
        """Wait until the webhook log shows deliveries in exactly these states, oldest first."""
        seen: list[dict[str, Any]] = []

        async def logged() -> bool:
            seen[:] = (await self.look("webhooks"))["webhooks"]
            return [delivery["state"] for delivery in seen] == list(states)

        await eventually(logged, lambda: f"webhooks are {[d['state'] for d in seen]}")
        return seen


async def eventually(
    condition: Callable[[], Awaitable[bool]], describe: Callable[[], str] = lambda: "not in time"
) -> None:
    """Wait until a condition of the outside world holds; fail with a description after a while."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, describe()
        await asyncio.sleep(0.01)


def exact(reply: httpx.Response) -> dict[str, Any]:
    """Parse a JSON reply without binary floats."""
    parsed: dict[str, Any] = json.loads(reply.text, parse_float=Decimal)
    return parsed


class FlutterwaveRig(Rig):
    """The Flutterwave sandbox, with a client that carries its key."""

    def __init__(self, gateway_url: str, control_url: str, secret_key: str) -> None:
        super().__init__(gateway_url, control_url)
        self.api.headers["authorization"] = f"Bearer {secret_key}"

    async def create(self, tx_ref: str = "ref-1", **fields: object) -> httpx.Response:
        """Post a payment of 25,000 UGX, or with other fields; None leaves a field out."""
        body: dict[str, object] = {
            "tx_ref": tx_ref,
            "amount": 25000,
            "currency": "UGX",
            "redirect_url": "https://shop.example/return?order=7",
            "customer": {
                "email": "amina@example.com",
                "name": "Amina",
                "phonenumber": "256772000481",
            },
            **fields,
        }
        present = {name: value for name, value in body.items() if value is not None}
        return await self.api.post("/v3/payments", json=present)

    async def link(self, tx_ref: str = "ref-1", **fields: object) -> str:
        """Create a payment and return its hosted link."""
        reply = await self.create(tx_ref, **fields)
        assert reply.status_code == 200, reply.text
        link: str = reply.json()["data"]["link"]
        return link

    async def submit(self, link: str, action: str, **form: str) -> httpx.Response:
        """Post one of the hosted page's forms."""
        return await self.api.post(f"{link}/{action}", data=form)

    async def verify(self, tx_ref: str = "ref-1") -> httpx.Response:
        return await self.api.get("/v3/transactions/verify_by_reference", params={"tx_ref": tx_ref})


class EversendRig(Rig):
    """The Eversend sandbox; `authorize` fetches a token for the client."""

    def __init__(
        self, gateway_url: str, control_url: str, client_id: str, client_secret: str
    ) -> None:
        super().__init__(gateway_url, control_url)
        self.credentials = {"clientId": client_id, "clientSecret": client_secret}

    async def authorize(self) -> None:
        reply = await self.api.get("/v1/auth/token", headers=self.credentials)
        assert reply.status_code == 200, reply.text
        self.api.headers["authorization"] = f"Bearer {reply.json()['token']}"

    async def collect(self, reference: str = "ref1", **fields: object) -> httpx.Response:
        """Ask a phone for 25,000 UGX, or with other fields; None leaves a field out."""
        body: dict[str, object] = {
            "phone": "+256772123456",
            "amount": 25000,
            "country": "UG",
            "currency": "UGX",
            "transactionRef": reference,
            "customer": '{"name":"Amina"}',
            **fields,
        }
        present = {name: value for name, value in body.items() if value is not None}
        return await self.api.post("/v1/collections/momo", json=present)

    async def collected(self, reference: str = "ref1", **fields: object) -> str:
        """Create a collection and return its transactionId."""
        reply = await self.collect(reference, **fields)
        assert reply.status_code == 200, reply.text
        transaction_id: str = reply.json()["data"]["transactionId"]
        return transaction_id

    async def transaction(self, transaction_id: str) -> dict[str, Any]:
        """Look a transaction up by id."""
        reply = await self.api.get(f"/v1/transactions/{transaction_id}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()["data"]["transactions"][0]
        return found
