"""The published keys of an identity provider: fetched when needed, kept, and renewed with care."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from kit.clock import Clock
from kit.errors import ErrorCode, ServiceError
from kit.logs import get_logger
from kit.tokens_jws import UnverifiedToken, key_for
from kit.tokens_keys import KeySetError, VerificationKey, parse_key_set

_log = get_logger(__name__)
# Providers publish a new key long before they sign with it, and withdraw an old one long after.
_RENEW_SECONDS = 600.0
# Anybody can send a token that names an unknown key; asking the provider again is rationed.
_MIN_INTERVAL_SECONDS = 30.0


class FetchError(Exception):
    """The key set could not be fetched. The message names the cause and no address."""


class PublishedKeys:
    """A JWK Set behind an address. Implements `KeySource`.

    `fetch`: gets the document, within a deadline and a size of its own; raises `FetchError`.
    `algorithms`: what its keys may be used for. A known key is used without asking; an unknown one
    makes us ask, at most once each 30 seconds. While the provider is away or publishes nonsense,
    the keys that we have stay good.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[bytes]], algorithms: Collection[str], clock: Clock
    ) -> None:
        self._fetch = fetch
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._keys: Sequence[VerificationKey] = ()
        self._renewed_at = 0.0
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def keys_for(self, token: UnverifiedToken) -> Sequence[VerificationKey]:
        """Return the keys, having asked for newer ones where that can help.

        Raises `ServiceError` (UNAVAILABLE) while there never was a usable key set.
        """
        if self._is_due(token) or (self._asking.locked() and self._is_missing(token)):
            async with self._asking:
                # Whoever waited here finds what the first one has fetched.
                if self._is_due(token):
                    await self._renew()
        if not self._keys:
            raise ServiceError(
                ErrorCode.UNAVAILABLE,
                "MEMBER_KEYS_UNAVAILABLE",
                "the keys of members' tokens cannot be had now; try again",
            )
        return self._keys

    def _is_missing(self, token: UnverifiedToken) -> bool:
        return key_for(token, self._keys) is None

    def _is_due(self, token: UnverifiedToken) -> bool:
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < _MIN_INTERVAL_SECONDS:
            return False
        return self._is_missing(token) or now - self._renewed_at >= _RENEW_SECONDS

    async def _renew(self) -> None:
        self._asked_at = self._clock.monotonic()
        try:
            keys = parse_key_set(await self._fetch(), self._algorithms)
        except (FetchError, KeySetError) as error:
            _log.warning("key_set_not_renewed", cause=str(error), known_keys=len(self._keys))
            return
        self._keys, self._renewed_at = keys, self._clock.monotonic()
        _log.info("key_set_renewed", keys=len(keys))
