"""A server's own TLS: modern versions, and no patience with clients that never agree on it."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kit.http_server import HttpOptions, load_tls
from tests.kit.certificates import make_certificate
from tests.kit.raw_http import send_raw
from tests.kit.serving import http_serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A server with TLS, and what a client needs to know it by."""

    port: int
    certificate: Path

    def client(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
        return httpx.AsyncClient(base_url=f"https://127.0.0.1:{self.port}", verify=context)


async def _scheme(request: Request) -> Response:
    return PlainTextResponse(request.scope["scheme"])


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    options = HttpOptions(header_seconds=0.3, tls=load_tls(certificate, key))
    app = Starlette(routes=[Route("/", _scheme)])
    async with http_serving(app, options) as port:
        yield Secured(port=port, certificate=certificate)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_a_request_over_tls_is_answered_and_known_to_be_private(
    secured: Secured, newest: ssl.TLSVersion
) -> None:
    async with secured.client(newest) as client:
        assert (await client.get("/")).text == "https"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_an_old_version_is_not_agreed_to(secured: Secured) -> None:
    async with secured.client(ssl.TLSVersion.TLSv1_1) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/")


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"],
    ids=["silent", "half a hello", "plain HTTP"],
)
async def test_a_client_that_never_agrees_on_tls_is_dropped(secured: Secured, sent: bytes) -> None:
    assert (await send_raw(secured.port, sent)).body == b""


def test_files_that_are_no_certificate_and_key_are_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        load_tls(certificate, tmp_path / "missing.pem")
    with pytest.raises(ssl.SSLError):
        load_tls(key, certificate)
