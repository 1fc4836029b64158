"""The settings that say whose tokens name members: one set for every process that reads them."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from kit.clock import Clock
from kit.jwks import PublishedKeys
from kit.jwks_fetch import document_at
from kit.settings import ProcessSettings, require_strong_secret
from kit.tokens_keys import ALGORITHMS, KeySetError, shared_secret
from kit.user_tokens import KeySource, SharedSecret, TokenRules, UserTokens

_SHARED_SECRET_ALGORITHM = "HS256"  # noqa: S105 - the name of an algorithm
_ALLOWED = (_SHARED_SECRET_ALGORITHM, "RS256", "PS256", "ES256", "EdDSA")


class UserTokenSettings(ProcessSettings):
    """How members' tokens (JWT) are verified.

    `jwt_algorithms`: the allowed algorithms, separated by commas. `jwt_secret`: the shared secret
    of HS256. `jwt_jwks_url`: where the keys of the other algorithms are published. `jwt_issuer`:
    the required `iss`; empty allows any, which only a shared secret may. `jwt_audience`: the
    required `aud`.
    """

    jwt_algorithms: Annotated[str, Field(validate_default=True)] = _SHARED_SECRET_ALGORITHM
    jwt_secret: Annotated[str, Field(repr=False, validate_default=True)] = ""
    jwt_jwks_url: Annotated[str, Field(validate_default=True)] = ""
    jwt_issuer: Annotated[str, Field(validate_default=True)] = ""
    jwt_audience: Annotated[str, Field(min_length=1)] = "authenticated"

    @field_validator("jwt_algorithms")
    @classmethod
    def _algorithms_are_known(cls, text: str) -> str:
        names = _names(text)
        if not names or not set(names) <= set(_ALLOWED):
            raise ValueError(f"must be some of: {', '.join(_ALLOWED)}")
        return text

    @field_validator("jwt_secret")
    @classmethod
    def _secret_fits_the_algorithms(cls, secret: str, info: ValidationInfo) -> str:
        wanted = _SHARED_SECRET_ALGORITHM in _names(info.data.get("jwt_algorithms", ""))
        if not secret and wanted:
            raise ValueError("is required")
        if not secret:
            return secret
        if not wanted and "jwt_algorithms" in info.data:
            raise ValueError("is given, and JWT_ALGORITHMS does not name HS256")
        try:
            shared_secret(secret)
        except KeySetError as error:
            raise ValueError(str(error)) from error
        return require_strong_secret(secret, "jwt_secret")

    @field_validator("jwt_jwks_url")
    @classmethod
    def _address_fits_the_algorithms(cls, url: str, info: ValidationInfo) -> str:
        names = _names(info.data.get("jwt_algorithms", ""))
        if not url:
            if _published(names):
                raise ValueError("is required for algorithms with published keys")
            return url
        if names and not _published(names):
            raise ValueError("is given, and JWT_ALGORITHMS names no algorithm with published keys")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be an absolute http(s) address without credentials")
        if parts.port == 0:  # a port that is no number at all raises by itself
            raise ValueError("has no such port")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("has characters that an address cannot have")
        if parts.scheme == "http" and info.data.get("environment") in ("staging", "production"):
            raise ValueError("must be https outside development")
        return url

    @field_validator("jwt_issuer")
    @classmethod
    def _published_keys_have_an_issuer(cls, issuer: str, info: ValidationInfo) -> str:
        if not issuer and info.data.get("jwt_jwks_url"):
            raise ValueError("is required with JWT_JWKS_URL")
        return issuer

    def user_tokens(self, clock: Clock) -> UserTokens:
        """Return what verifies members' tokens; published keys are fetched when first needed."""
        rules = TokenRules(
            algorithms=self._sources(clock),
            audience=self.jwt_audience,
            issuer=self.jwt_issuer or None,
        )
        return UserTokens(rules, clock)

    def _sources(self, clock: Clock) -> Mapping[str, KeySource]:
        names = _names(self.jwt_algorithms)
        sources: dict[str, KeySource] = {}
        if _SHARED_SECRET_ALGORITHM in names:
            sources[_SHARED_SECRET_ALGORITHM] = SharedSecret(self.jwt_secret)
        published = _published(names)
        if published:
            keys = PublishedKeys(document_at(self.jwt_jwks_url), published, clock)
            sources.update(dict.fromkeys(published, keys))
        return sources


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _published(names: list[str]) -> list[str]:
    return [name for name in names if ALGORITHMS[name].kty != "oct"]
