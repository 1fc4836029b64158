"""One-time passwords: sent to a phone, good for one collection there (section 5.2)."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.eversend.records import OneTimePassword
from gateway_sandboxes.eversend.replies import RefusedError
from gateway_sandboxes.store import Collection, Store

RIGHT_PIN = "123456"
_LIFETIME = timedelta(minutes=10)


class Passwords:
    """Passwords by their `pinId`; the digits are the same for all (section 13)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._passwords = Collection(store, "passwords", OneTimePassword)

    def send(self, phone: str) -> OneTimePassword:
        """Send a password to a phone."""
        password = OneTimePassword(
            pin_id=f"VE{secrets.token_hex(16)}",
            phone=phone,
            expires_at=self._clock.now() + _LIFETIME,
        )
        return self._passwords.put(password.pin_id, password)

    def use_up(self, otp: Any, phone: str | None) -> None:
        """Take the `otp` of a collection from a phone (`RefusedError` unless it is right)."""
        if not isinstance(otp, dict):
            raise RefusedError("OTP is required")
        password = self._passwords.get(str(otp.get("pinId")))
        right = otp.get("pin") == RIGHT_PIN
        if (
            password is None
            or password.phone != phone
            or not self._is_usable(password)
            or not right
        ):
            raise RefusedError("Invalid or expired OTP")
        self._passwords.put(password.pin_id, replace(password, used=True))

    def phones(self) -> list[str]:
        """Return the phones that have a password which can still be used."""
        usable = (each.phone for each in self._passwords.values() if self._is_usable(each))
        return list(dict.fromkeys(usable))

    def waits_on(self, phone: str) -> bool:
        """Tell whether a phone has a password which can still be used."""
        return phone in self.phones()

    def _is_usable(self, password: OneTimePassword) -> bool:
        return not password.used and password.expires_at > self._clock.now()
