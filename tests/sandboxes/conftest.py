"""Both sandboxes, started once on free ports and reset for every test, and a webhook receiver."""

from collections.abc import AsyncIterator

import pytest

from gateway_sandboxes import eversend as eversend_sandbox
from gateway_sandboxes import flutterwave as flutterwave_sandbox
from tests.sandboxes.receiver import Receiver, running_receiver
from tests.sandboxes.rigs import EversendRig, FlutterwaveRig


@pytest.fixture(scope="session")
async def running_flutterwave() -> AsyncIterator[FlutterwaveRig]:
    settings = flutterwave_sandbox.Settings(port=0, control_port=0)
    async with flutterwave_sandbox.Sandbox(settings) as sandbox:
        rig = FlutterwaveRig(sandbox.gateway_url, sandbox.control_url, settings.secret_key)
        yield rig
        await rig.aclose()


@pytest.fixture(scope="session")
async def running_eversend() -> AsyncIterator[EversendRig]:
    settings = eversend_sandbox.Settings(port=0, control_port=0)
    async with eversend_sandbox.Sandbox(settings) as sandbox:
        rig = EversendRig(
            sandbox.gateway_url, sandbox.control_url, settings.client_id, settings.client_secret
        )
        yield rig
        await rig.aclose()


@pytest.fixture
async def flutterwave(running_flutterwave: FlutterwaveRig) -> FlutterwaveRig:
    """Give the test a Flutterwave sandbox that has forgotten everything."""
    await running_flutterwave.steer("reset")
    return running_flutterwave


@pytest.fixture
async def eversend(running_eversend: EversendRig) -> EversendRig:
    """Give the test an Eversend sandbox that has forgotten everything, and a fresh token."""
    await running_eversend.steer("reset")
    await running_eversend.authorize()
    return running_eversend


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver
