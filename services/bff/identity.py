"""Who asks: the member of the `Authorization` header."""

from dataclasses import dataclass, field

from starlette.requests import Request

from kit.errors import ErrorCode, ServiceError
from kit.user_tokens import UserTokens

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member who is logged in. `token`: theirs, to act for them at the payments service."""

    user_id: str
    token: str = field(repr=False)


async def member_of(request: Request, tokens: UserTokens) -> Member:
    """Return the member who asks.

    Raises `ServiceError` (UNAUTHENTICATED) without exactly one good `Authorization: Bearer`.
    """
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != _SCHEME or not token:
        raise ServiceError(
            ErrorCode.UNAUTHENTICATED, "USER_TOKEN_REQUIRED", "send the member's token"
        )
    return Member(user_id=await tokens.user_id(token), token=token)
