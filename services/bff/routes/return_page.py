"""GET /return: where a gateway's page sends the member when it is done with them."""

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_PAGE = Path(__file__).parents[1] / "web" / "return.html"
_STYLE_TAGS = re.compile("</?style>")


def return_routes() -> list[Route]:
    """Return the route of the page, which is the same for everybody.

    A gateway appends its view of the payment to the address. Anybody can write such an address, so
    the page neither reads nor repeats it, and claims nothing about how the payment ended.
    """
    page = _PAGE.read_text("utf-8")
    headers = {
        "cache-control": "no-store",
        "content-security-policy": _policy(page),
        "referrer-policy": "no-referrer",  # the address names the payment
    }

    async def show_return_page(_request: Request) -> Response:
        return HTMLResponse(page, headers=headers)

    return [Route("/return", show_return_page)]


def _policy(page: str) -> str:
    """Return the policy under which a page may use its one style element and nothing else."""
    _, style, _ = _STYLE_TAGS.split(page)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
