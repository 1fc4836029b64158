"""Pages that people see: templates over one layout and one stylesheet, and the forms they post."""

from pathlib import Path
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

_SHARED_TEMPLATES = Path(__file__).parent / "templates"
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Pages:
    """Renders the templates of one gateway, which extend the shared layout."""

    def __init__(self, templates: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([templates, _SHARED_TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, status: int = 200, /, **context: object) -> HTMLResponse:
        """Render a template with its context."""
        page = self._environment.get_template(template).render(context)
        return HTMLResponse(page, status, _HEADERS)


async def read_form(request: Request) -> dict[str, str]:
    """Read a posted form; of repeated fields the last one counts, values are stripped."""
    body = (await request.body()).decode("utf-8", "replace")
    return {name: value.strip() for name, value in parse_qsl(body, keep_blank_values=True)}
