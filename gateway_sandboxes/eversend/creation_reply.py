"""What a creating call gets back, as the phone's last four digits select (section 13)."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from gateway_sandboxes.eversend.outcomes import selected_outcome
from gateway_sandboxes.eversend.replies import SERVER_ERROR, RefusedError, success
from gateway_sandboxes.fault_gate import CutConnection


async def creation_reply(
    phone: str | None, data: object, settle: Callable[[], Awaitable[None]]
) -> Response:
    """Answer with what was created, with an error, or not at all.

    `settle` decides the transaction and waits for its webhook, for numbers whose webhook comes
    before the reply; `data` was written before, so that the reply still says pending.
    """
    outcome = selected_outcome(phone)
    reply = outcome.reply if outcome else "normal"
    if reply == "server_error":
        raise RefusedError(SERVER_ERROR, 500)
    if reply == "cut":
        return CutConnection()
    if reply == "after_webhook":
        await settle()
    return success(data)
