"""A calling service is known by its token and by nothing else."""

import pytest

from kit.errors import ErrorCode, ServiceError
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret

BFF, RECEIVER = "bff-token-0123456789", "receiver-token-0123456789"
TOKENS = ServiceTokens(
    [NamedSecret(name="bff", secret=BFF), NamedSecret(name="receiver", secret=RECEIVER)]
)


@pytest.mark.parametrize(
    ("authorization", "caller"),
    [(f"Bearer {BFF}", "bff"), (f"bearer {RECEIVER}", "receiver"), (f"BEARER {BFF}", "bff")],
)
def test_a_token_names_its_holder(authorization: str, caller: str) -> None:
    assert TOKENS.caller(authorization) == caller


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        BFF,
        f"Basic {BFF}",
        f"Digest {BFF}",
        f"Bearer{BFF}",
        f"Bearer  {BFF}",
        f" Bearer {BFF}",
        f"Bearer {BFF} ",
        f"Bearer {BFF}\n",
        f"Bearer {BFF[:-1]}",
        f"Bearer {BFF}0",
        f"Bearer {BFF.upper()}",
        f"Bearer {BFF},{RECEIVER}",
        f"Bearer {BFF} Bearer {RECEIVER}",
        "Bearer bff",
        "Bearer null",
        "Bearer \u00e9",
        "Bearer " + "x" * 100_000,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_anything_else_is_nobody(authorization: str | None) -> None:
    with pytest.raises(ServiceError) as refused:
        TOKENS.caller(authorization)

    assert refused.value.code is ErrorCode.UNAUTHENTICATED
    assert BFF not in str(refused.value)


def test_without_known_tokens_everybody_is_nobody() -> None:
    with pytest.raises(ServiceError):
        ServiceTokens([]).caller("Bearer ")
