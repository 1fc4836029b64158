"""The payer of the demonstration: fills in pages as a person with a browser or a phone would."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

Tell = Callable[[str], Awaitable[None]]

_TIMEOUT_SECONDS = 10.0
_MOST_PAGES = 8
# What the payer knows, by the name of a form's field: the sandbox's test card, and any phone.
_ANSWERS: Mapping[str, str] = {
    "card_number": "5531886652142950",
    "expiry": "09/32",
    "cvv": "564",
    "pin": "3310",
}
# The password that the bank texts for the card, and the operator for a wallet.
_CARD_OTP, _WALLET_OTP = "12345", "123456"
_SECRET_FIELDS = frozenset({"cvv", "pin", "otp"})


class PayerStuckError(Exception):
    """The payer met a page that does not let them pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of a page. `fields`: the values that the page itself gives, by name."""

    action: str
    fields: Mapping[str, str]


class _Page(HTMLParser):
    """The heading and the forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.heading = ""
        self.forms: list[Form] = []
        self._in_heading = False
        self._action = ""
        self._fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_heading = tag == "h1"
        if tag == "form":
            self._action, self._fields = given.get("action", ""), {}
        elif tag in ("input", "button") and given.get("name"):
            self._fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = False
        if tag == "form":
            self.forms.append(Form(action=self._action, fields=self._fields))

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data.strip()


async def pay_on_hosted_page(url: str, phone: str, tell: Tell) -> None:
    """Open the gateway's page at `url` and go through its forms until it sends the payer back.

    `phone`: the payer's number, for pages that ask. `tell` gets a line a step. Raises
    `PayerStuckError` when a page has no way on.
    """
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as browser:
        otp = _CARD_OTP
        response = await browser.get(url)
        for _ in range(_MOST_PAGES):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if not target.startswith(url):
                    await tell("the page sends the payer back to us")
                    return
                response = await browser.get(target)
                continue
            page = _Page(response.text)
            # The first form is the way on; the others cancel or go back.
            form = page.forms[0] if page.forms else None
            if form is None or form.action.endswith("/cancel"):
                raise PayerStuckError(f"the page {page.heading or url!r} has no way to pay")
            if "phone" in form.fields:
                otp = _WALLET_OTP
            answers = {**form.fields, **_answers(form, phone, otp)}
            await tell(f"{page.heading}: {_spoken(answers)}")
            response = await browser.post(urljoin(url, form.action), data=answers)
        raise PayerStuckError(f"the pages at {url} have no end")


async def approve_on_phone(phones: str, phone: str, tell: Tell) -> None:
    """Approve the prompt that waits on `phone`. `phones`: base URL of the gateway's phone pages.

    Raises `PayerStuckError` when there is none.
    """
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as browser:
        response = await browser.get(f"{phones}/phone/{phone}")
        prompts = [form for form in _Page(response.text).forms if form.action.endswith("/approve")]
        if not prompts:
            raise PayerStuckError("no prompt has arrived on the phone")
        await tell("the phone shows a prompt: enter PIN, approve")
        await browser.post(urljoin(phones, prompts[0].action), data={"pin": "1234"})


def _answers(form: Form, phone: str, otp: str) -> dict[str, str]:
    known = {**_ANSWERS, "phone": phone, "otp": otp}
    return {name: known[name] for name in form.fields if name in known}


def _spoken(answers: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {'•' * len(value) if name in _SECRET_FIELDS else value}"
        for name, value in answers.items()
    )
