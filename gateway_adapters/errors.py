"""What can go wrong at a gateway, by what it proves about money, and with a gateway's callback."""


class GatewayFailureError(Exception):
    """A call to a gateway that brought no answer to use.

    `code`: a stable lower-case name for programs, for example "card_declined". `detail`: the
    gateway's own words or ours, bounded and without personal data. `operator_alert`: whether the
    configuration or the account is at fault, so that somebody must be told.
    """

    def __init__(self, code: str, detail: str, *, operator_alert: bool = False) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.operator_alert = operator_alert


class NotSentError(GatewayFailureError):
    """Proven: not one byte of the request reached the gateway."""


class NotCreatedError(GatewayFailureError):
    """Proven: the gateway created nothing, or this adapter refused before sending."""


class NotOfferedError(NotCreatedError):
    """The gateway has no such call at all."""


class OutcomeUnknownError(GatewayFailureError):
    """Nothing is proven: the request may have taken effect. Look it up; never send it again."""


class CallbackRefusedError(Exception):
    """A callback whose sender did not prove to know the secret. Its message never says why."""


class CallbackUnreadableError(Exception):
    """A callback whose body is not the JSON that the gateway documents."""
