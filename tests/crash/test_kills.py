"""A process that is killed anywhere leaves nothing behind that the next one cannot put right."""

import time

import pytest

from proofs.crash import report
from proofs.crash.driver import Part
from proofs.crash.lane import Lane, Trial
from proofs.crash.matrix import Plan, Tally, try_spread
from proofs.crash.points import KILLS, Moment, Point
from proofs.crash.stories import STORIES
from proofs.crash.variants import VARIANTS

_SEED = 20260314
_POINTS_OF_A_STORY = 2


def _said(tallies: dict[str, Tally], began: float) -> str:
    """Return what people read when something is broken."""
    lines = [report.line(tally) for tally in tallies.values()]
    verdicts = [verdict for tally in tallies.values() for verdict in tally.broken]
    lines += [report.total(tallies.values(), time.monotonic() - began), f"seed {_SEED}"]
    return "\n".join([*lines, *map(report.broken, verdicts)])


async def test_a_kill_at_any_point_of_any_story_breaks_nothing(killing_lanes: list[Lane]) -> None:
    plan = Plan(stories=list(STORIES), moments=KILLS)
    began = time.monotonic()
    tallies = await try_spread(plan, killing_lanes, _POINTS_OF_A_STORY, _SEED)
    said = _said(tallies, began)
    print(said)  # noqa: T201 - the figure, for whoever runs it with -s
    assert sum(tally.strikes for tally in tallies.values()) >= len(STORIES), said
    assert not any(tally.broken for tally in tallies.values()), said


@pytest.mark.parametrize("story", ["create-prompt", "refund"])
async def test_every_call_to_a_gateway_may_be_the_last_thing_a_process_does(
    killing_lanes: list[Lane], story: str
) -> None:
    for moment in (Moment.BEFORE_CALL, Moment.CALL_ON_ITS_WAY, Moment.AFTER_EFFECT):
        for comeback in (Part.RETURN, Part.ALONE):
            trial = Trial(story=story, point=Point(moment, 1), comeback=comeback)
            verdict = await killing_lanes[0].try_out(trial)
            assert verdict.struck
            assert not verdict.broken, report.broken(verdict)


@pytest.mark.parametrize(
    ("variant", "story", "comeback", "seen"),
    [
        ("sends-before-commit", "create-prompt", Part.ALONE, "MONEY WITHOUT EFFECT"),
        ("sends-refunds-again", "refund", Part.RETURN, "REFUND SENT TWICE"),
        ("falls-back-after-a-kill", "create-prompt", Part.RETURN, "NO PROOF"),
    ],
)
async def test_a_process_that_is_built_wrongly_is_found_out(
    killing_lanes: list[Lane], variant: str, story: str, comeback: Part, seen: str
) -> None:
    assert variant in VARIANTS
    point = Point(Moment.AFTER_EFFECT, 1)
    trial = Trial(story=story, point=point, comeback=comeback, variant=variant)
    verdict = await killing_lanes[0].try_out(trial)
    assert verdict.struck
    assert any(each.startswith(seen) for each in verdict.broken), verdict.broken
