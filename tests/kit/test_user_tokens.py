"""Only a token that the identity provider signed for us, now, about somebody, names a member."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import ErrorCode, ServiceError
from kit.tokens_issue import issue_token
from kit.user_tokens import SharedSecret, TokenRules, UserTokens
from tests.kit.tokens import HEADER, SECRET, encoded, made

NOW = 1_790_000_000
CLAIMS: dict[str, Any] = {"sub": "member-1", "aud": "authenticated", "exp": NOW + 60, "iat": NOW}
GOOD = made(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class _StoppedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        del seconds


def _tokens(audience: str = "authenticated", issuer: str | None = None) -> UserTokens:
    rules = TokenRules(algorithms={"HS256": SharedSecret(SECRET)}, audience=audience, issuer=issuer)
    return UserTokens(rules, _StoppedClock())


TOKENS = _tokens()


def _claims(**changes: object) -> str:
    return made(HEADER, {**CLAIMS, **changes})


def _without(claim: str) -> str:
    return made(HEADER, {name: value for name, value in CLAIMS.items() if name != claim})


def _header(**changes: object) -> str:
    return made({**HEADER, **changes}, CLAIMS)


ACCEPTED = {
    "plain": GOOD,
    "audience in a list": _claims(aud=["other", "authenticated"]),
    "expired within the leeway": _claims(exp=NOW - 29),
    "valid soon, within the leeway": _claims(nbf=NOW + 29),
    "expires at a fraction": _claims(exp=NOW + 0.5),
    # The shared secret has no name, and a name chooses nothing here.
    "kid": _header(kid="../../dev/null"),
    "other claims": _claims(role="authenticated", email="a@b.test", app_metadata={"x": [1]}),
}

REFUSED = {
    "nothing": "",
    "dots": "..",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts": "a.b.c.d.e",
    "no signature": f"{HEAD}.{BODY}.",
    "signature cut": GOOD[:-1],
    "signature longer": GOOD + "A",
    "signature of other claims": f"{HEAD}.{encoded({**CLAIMS, 'sub': 'victim'})}.{SIGNATURE}",
    "signature under another header": f"{encoded({'alg': 'HS256'})}.{BODY}.{SIGNATURE}",
    "non-canonical base64": GOOD[:-1] + _ALPHABET[_ALPHABET.index(GOOD[-1]) ^ 1],
    "padding": GOOD + "=",
    "padding in the header": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "newline": GOOD + "\n",
    "newline inside": GOOD[:-5] + "\n" + GOOD[-5:],
    "junk inside": GOOD[:-5] + "!" + GOOD[-5:],
    "space": " " + GOOD,
    "NUL": GOOD + "\x00",
    "non-ASCII": GOOD + "\u00e9",
    "surrogate": "\ud800",
    "bearer": "Bearer " + GOOD,
    "huge": "a" * 5000,
    "huge and signed": _claims(extra="x" * 4000),
    "another secret": made(HEADER, CLAIMS, secret="another-secret-for-tests-00000001"),
    "empty secret": made(HEADER, CLAIMS, secret=""),
    "none": _header(alg="none"),
    "none, unsigned": f"{encoded({'alg': 'none'})}.{BODY}.",
    "None": f"{encoded({'alg': 'None'})}.{BODY}.",
    "lower case": _header(alg="hs256"),
    "HS384": made({"alg": "HS384"}, CLAIMS, digest=hashlib.sha384),
    "HS512": made({"alg": "HS512"}, CLAIMS, digest=hashlib.sha512),
    "RS256 signed with the shared secret": _header(alg="RS256"),
    "ES256 signed with the shared secret": _header(alg="ES256"),
    "no algorithm": made({"typ": "JWT"}, CLAIMS),
    "algorithm in a list": _header(alg=["HS256"]),
    "algorithm null": _header(alg=None),
    "jku": _header(jku="https://attacker.example/keys"),
    "jwk": _header(jwk={"kty": "oct", "k": "AA"}),
    "x5u": _header(x5u="https://attacker.example/certificate"),
    "x5c": _header(x5c=["MIIB"]),
    "kid is a number": _header(kid=1),
    "kid is a list": _header(kid=["a"]),
    "kid is empty": _header(kid=""),
    "kid is huge": _header(kid="k" * 201),
    "zip": _header(zip="DEF"),
    "encrypted": _header(enc="A256GCM"),
    "unknown header": _header(iss="x"),
    "header with a name twice": made(b'{"alg":"none","alg":"HS256"}', CLAIMS),
    "claims with a name twice": made(
        HEADER, b'{"sub":"member-1","aud":"authenticated","exp":99999999999,"sub":"victim"}'
    ),
    "nested name twice": made(
        HEADER, b'{"sub":"member-1","aud":"authenticated","exp":99999999999,"x":{"a":1,"a":2}}'
    ),
    "header with a byte order mark": made(b'\xef\xbb\xbf{"alg":"HS256"}', CLAIMS),
    "claims in UTF-16": made(HEADER, '{"sub":"member-1"}'.encode("utf-16")),
    "claims not UTF-8": made(HEADER, b'{"sub":"\xff"}'),
    "claims with something behind": made(
        HEADER, b'{"sub":"member-1","aud":"authenticated","exp":99999999999}{}'
    ),
    "detached payload": f"{HEAD}..{SIGNATURE}",
    "JSON serialization": '{"protected":"' + HEAD + '"}',
    "crit empty": _header(crit=[]),
    "crit": _header(crit=["exp"]),
    "crit b64": _header(crit=["b64"], b64=False),
    "header is a list": made([], CLAIMS),
    "header is text": made("HS256", CLAIMS),
    "header nested deeply": made(b"[" * 2500, CLAIMS),
    "header not JSON": made(b"\x00", CLAIMS),
    "claims are a list": made(HEADER, []),
    "claims are text": made(HEADER, "member-1"),
    "claims nested deeply": made(HEADER, b"[" * 2500),
    "claims not JSON": made(HEADER, b"{"),
    "expired": _claims(exp=NOW - 31),
    "expired long ago": _claims(exp=0),
    "expires at a text": _claims(exp=str(NOW + 60)),
    "expires exactly now, past the leeway": _claims(exp=NOW - 30),
    "expires before the first year": _claims(exp=-1),
    "expires after all time": _claims(exp=2**60),
    "expires at infinity": made(HEADER, b'{"sub":"m","aud":"authenticated","exp":1e999}'),
    "not valid yet by a second": _claims(nbf=NOW + 31),
    "valid from true": _claims(nbf=True),
    "expires at true": _claims(exp=True),
    "expires at null": _claims(exp=None),
    "expires at a list": _claims(exp=[NOW + 60]),
    "expires at minus infinity": made(HEADER, b'{"sub":"m","aud":"authenticated","exp":-1e999}'),
    "expires never": _without("exp"),
    "expires at NaN": made(HEADER, b'{"sub":"m","aud":"authenticated","exp":NaN}'),
    "not valid yet": _claims(nbf=NOW + 60),
    "valid from a text": _claims(nbf="soon"),
    "issued in the future": _claims(iat=NOW + 3600),
    "another audience": _claims(aud="anon"),
    "audience in another case": _claims(aud="Authenticated"),
    "audience with a suffix": _claims(aud="authenticated2"),
    "other audiences": _claims(aud=["anon", "service_role"]),
    "audience nested": _claims(aud=[["authenticated"]]),
    "audience as a key": _claims(aud={"authenticated": True}),
    "empty audience": _claims(aud=""),
    "no audience": _without("aud"),
    "no member": _without("sub"),
    "empty member": _claims(sub=""),
    "blank member": _claims(sub="  "),
    "member with a space behind": _claims(sub="member-1 "),
    "member is a number": _claims(sub=1),
    "member is a list": _claims(sub=["member-1"]),
    "member is null": _claims(sub=None),
    "member too long": _claims(sub="m" * 101),
    "member with NUL": _claims(sub="member\x00"),
    "member with a surrogate": made(
        HEADER, b'{"sub":"\\ud800","aud":"authenticated","exp":99999999999}'
    ),
}


@pytest.mark.parametrize("token", ACCEPTED.values(), ids=ACCEPTED)
async def test_a_token_that_was_signed_for_us_names_its_member(token: str) -> None:
    assert await TOKENS.user_id(token) == "member-1"


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
async def test_every_other_token_is_refused_alike(token: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await TOKENS.user_id(token)

    assert refused.value.code is ErrorCode.UNAUTHENTICATED
    assert refused.value.reason == "USER_TOKEN_INVALID"
    assert not token or token not in refused.value.message


async def test_every_single_changed_character_of_a_token_is_noticed() -> None:
    for position, character in enumerate(GOOD):
        if character == ".":
            continue
        changed = _ALPHABET[_ALPHABET.index(character) ^ 1]
        with pytest.raises(ServiceError):
            await TOKENS.user_id(GOOD[:position] + changed + GOOD[position + 1 :])


async def test_issued_tokens_are_accepted_until_they_expire() -> None:
    clock = _StoppedClock()
    fresh = issue_token(SECRET, "member-2", clock)
    stale = issue_token(SECRET, "member-2", clock, lifetime=timedelta(seconds=-31))

    assert await TOKENS.user_id(fresh) == "member-2"
    with pytest.raises(ServiceError):
        await TOKENS.user_id(stale)


async def test_tokens_of_another_audience_are_for_somebody_else() -> None:
    staff = issue_token(SECRET, "member-3", _StoppedClock(), audience="staff")

    assert await _tokens(audience="staff").user_id(staff) == "member-3"
    with pytest.raises(ServiceError):
        await TOKENS.user_id(staff)


@pytest.mark.parametrize(
    "issuer",
    [None, "", "https://id.example/", "https://ID.example", ["https://id.example"], 1],
)
async def test_a_token_of_another_issuer_is_refused(issuer: object) -> None:
    strict = _tokens(issuer="https://id.example")

    assert await strict.user_id(_claims(iss="https://id.example")) == "member-1"
    for token in (_claims(iss=issuer), GOOD):
        with pytest.raises(ServiceError):
            await strict.user_id(token)
