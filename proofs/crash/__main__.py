"""`python -m proofs.crash …`: kills, cuts and restarts, and what they left behind."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Sequence

from kit.logs import configure_logs
from proofs.crash import report
from proofs.crash.cluster import lane_databases
from proofs.crash.driver import Part
from proofs.crash.idempotency.reuse import Reuse
from proofs.crash.idempotency.rounds import play
from proofs.crash.idempotency.servers import twin_servers
from proofs.crash.lane import Trial
from proofs.crash.matrix import Plan, Tally, open_lanes, try_all, try_one, try_spread
from proofs.crash.points import CUTS, KILLS, Moment, Point
from proofs.crash.restarts.run import run_with_restarts
from proofs.crash.stack_kills import run_with_kills
from proofs.crash.stories import STORIES
from proofs.crash.variants import AS_BUILT, VARIANTS

_MOST_SHOWN = 20


async def _matrix(options: argparse.Namespace) -> int:
    """Try all points, or a spread of each story."""
    plan = Plan(stories=options.story, moments=options.moment, variant=options.variant)
    which = f"{options.spread} a story, seed {options.seed}" if options.spread else "every point"
    print(f"{report.versions()}; variant {plan.variant}; {which}; {options.lanes} lanes")
    print(report.HEADER, flush=True)
    began = time.monotonic()
    async with open_lanes(options.lanes, plan) as lanes:
        if options.spread:
            tallies = await try_spread(plan, lanes, options.spread, options.seed)
            for tally in tallies.values():
                _tell(tally)
        else:
            tallies = await try_all(plan, lanes, _tell)
    print(report.total(tallies.values(), time.monotonic() - began))
    print("again: python -m proofs.crash point STORY MOMENT:NUMBER --comeback return|alone")
    return int(any(tally.broken for tally in tallies.values()))


def _tell(tally: Tally) -> None:
    print(report.line(tally), flush=True)
    _show(report.broken(verdict) for verdict in tally.broken)


async def _point(options: argparse.Namespace) -> int:
    """Try one point."""
    trial = Trial(
        story=options.story,
        point=None if options.point == "none" else Point.parse(options.point),
        comeback=Part(options.comeback),
        variant=options.variant,
    )
    verdict = await try_one(trial)
    print(report.versions())
    print(f"{trial.story}, {options.point}: {'reached' if verdict.struck else 'not reached'}")
    print(report.broken(verdict) if verdict.broken else "nothing is broken")
    return int(bool(verdict.broken))


async def _database(options: argparse.Namespace) -> int:
    """Restart the database under load."""
    began = time.monotonic()
    outcome = await run_with_restarts(
        options.payments, options.at_once, options.every, options.seed
    )
    print(f"{report.versions()}; seed {options.seed}; {time.monotonic() - began:.1f} seconds")
    print(f"{options.payments} payments, {options.at_once} at once; {outcome.restarts} restarts")
    print(f"payments: {report.counts(outcome.statuses)}")
    told = outcome.told
    print(f"acknowledged: {len(told.payments)} payments, {len(told.events)} callbacks;", end=" ")
    print(f"{told.errors} answers said to try again")
    return _broken(outcome.broken)


async def _stack(options: argparse.Namespace) -> int:
    """Kill parts of the whole stack."""
    began = time.monotonic()
    outcome = await run_with_kills(options.payments, options.kills, options.seed)
    print(f"{report.versions()}; seed {options.seed}; {time.monotonic() - began:.1f} seconds")
    print(f"{options.payments} payments: {report.counts(outcome.statuses)}")
    print(f"{outcome.kills.total()} kills: {report.counts(outcome.kills)}")
    return _broken(outcome.broken)


async def _idempotency(options: argparse.Namespace) -> int:
    """Repeat requests, then change them."""
    began = time.monotonic()
    async with (
        lane_databases(1) as (database,),
        twin_servers(database.owner_url, database.app_url, asks_otp=True) as twins,
    ):
        score = await play(twins, options.rounds, options.at_once)
        print(f"{report.versions()}; 2 servers; {time.monotonic() - began:.1f} seconds", end="; ")
        print(f"{score.rounds} rounds of {options.at_once} requests at once;", end=" ")
        print(f"{score.sent} sent, {score.repeated} of them again", flush=True)
        refusals = await Reuse(twins).try_all()
    for each in refusals:
        print(report.refusals(each))
    return _broken([*score.wrong, *(wrong for each in refusals for wrong in each.wrong)])


def _broken(found: Sequence[str]) -> int:
    print(f"broken: {len(found)}")
    _show(f"  {each}" for each in found)
    return int(bool(found))


def _show(lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        if number == _MOST_SHOWN:
            print("  …")
            return
        print(line, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proofs.crash", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, moments, what in (
        ("matrix", KILLS, "kill at every statement, commit, call and step of every story"),
        ("commits", tuple(sorted(CUTS)), "lose the reply to every commit of every story"),
    ):
        _add_matrix(commands.add_parser(name, help=what), moments)
    point = commands.add_parser("point", help="try one point again")
    point.add_argument("story", choices=STORIES)
    point.add_argument("point", help='for example "after-commit:3", or "none"')
    point.add_argument("--comeback", choices=[Part.RETURN, Part.ALONE], default=Part.RETURN)
    point.add_argument("--variant", choices=VARIANTS, default=AS_BUILT)
    point.set_defaults(run=_point)
    database = commands.add_parser("database", help="restart PostgreSQL under load")
    database.add_argument("--payments", type=int, default=5000)
    database.add_argument("--at-once", type=int, default=32)
    database.add_argument("--every", type=float, default=4.0, help="seconds between restarts")
    database.add_argument("--seed", type=int, default=1)
    database.set_defaults(run=_database)
    stack = commands.add_parser("stack", help="kill parts of the whole stack")
    stack.add_argument("--payments", type=int, default=200)
    stack.add_argument("--kills", type=int, default=25)
    stack.add_argument("--seed", type=int, default=1)
    stack.set_defaults(run=_stack)
    idempotency = commands.add_parser("idempotency", help="repeat requests over two servers")
    idempotency.add_argument("--rounds", type=int, default=1000)
    idempotency.add_argument("--at-once", type=int, default=32)
    idempotency.set_defaults(run=_idempotency)
    return parser


def _add_matrix(parser: argparse.ArgumentParser, moments: Sequence[Moment]) -> None:
    parser.add_argument("--story", nargs="+", choices=STORIES, default=list(STORIES))
    parser.add_argument("--moment", nargs="+", choices=moments, default=moments, type=Moment)
    parser.add_argument("--spread", type=int, help="only so many points of each story …")
    parser.add_argument("--seed", type=int, default=1, help="… chosen by this seed")
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--variant", choices=VARIANTS, default=AS_BUILT)
    parser.set_defaults(run=_matrix)


def main() -> int:
    """Run what the command line says; 1 when something is broken."""
    options = _arguments().parse_args()
    configure_logs("crash", level="CRITICAL")
    return int(asyncio.run(options.run(options)))


if __name__ == "__main__":
    sys.exit(main())
