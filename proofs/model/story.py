"""Tells what happened on the way to a state, with what each step changed on record."""

from collections.abc import Iterator, Sequence

from proofs.model.rulings import World
from proofs.model.state import Charge, State, name
from services.payments.domain.attempts import Flow


def tell(world: World, path: Sequence[tuple[str, State]]) -> tuple[str, ...]:
    """Return the lines of a story.

    `path`: what happened and the state after it; the first is the beginning.
    """
    lines: list[str] = []
    before = State(payments=(), attempts=(), charges=())
    for number, (happened, after) in enumerate(path):
        lines.append(f"{number:2}. {happened}")
        lines += [f"      {change}" for change in _changes(world, before, after)]
        before = after
    lines += ["", "At the gateways, in the end:"]
    lines += [f"      {name(charge.attempt)}: {_has(charge)}" for charge in before.charges]
    return tuple(lines)


def _changes(world: World, before: State, after: State) -> Iterator[str]:
    for index, attempt in enumerate(after.attempts):
        old = before.attempts[index] if index < len(before.attempts) else None
        if old is None:
            page = world.flow(attempt.route) is Flow.HOSTED
            way = "a page" if page else "a prompt on the phone"
            yield f"attempt {name(index)} is on record: gateway {attempt.route + 1}, {way}"
        elif old.outcome is not attempt.outcome:
            yield f"attempt {name(index)} is {attempt.outcome}"
    for index, payment in enumerate(after.payments):
        earlier = before.payments[index] if index < len(before.payments) else None
        if earlier is None or earlier.status is not payment.status:
            yield f"payment {index + 1} is {payment.status}"
        if payment.granted and not (earlier and earlier.granted):
            yield "the member has the tier"


def _has(charge: Charge) -> str:
    word = str(charge.word).replace("_", " ")
    use = f", {charge.use} by our record" if charge.use else ""
    return f"{word}{', its page is open' if charge.payable else ''}{use}"
