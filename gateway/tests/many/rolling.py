"""Gateways started, stopped, killed, added and upgraded while thousands wait: `python -m gateway.tests.many.rolling`.

Several real gateways on one real Redis, the load tester as visitors and as balancer. Every gateway but one only ever
gets SIGTERM: at those no request may be cut. The one is killed with `kill -9`. Exit code 0 if every promise was kept.
Takes some four minutes and ends by itself.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateway.tests.many.fleet import Fleet, Member
from gateway.tests.many.load import Load, broken, cut_off, errors_told, keep_logs
from gateway.tests.redis.servers import RedisServer
from gateway.tests.stand import until


@dataclass(frozen=True, slots=True)
class Plan:
    """gateways: at the start; one more is added. waiting: how many must wait before the first step.

    per_minute: so few that most still wait when the steps are over. calm_s: after each step, so that visitors meet what
    it left.
    """

    visitors: int = 5_900
    arrive_s: float = 60.0
    gateways: int = 4
    waiting: int = 5_000
    ceiling: int = 300
    per_minute: int = 600
    calm_s: float = 3.0
    max_s: float = 180.0
    seed: int = 1


@dataclass(slots=True)
class Result:
    report: dict[str, Any] = field(default_factory=dict)
    offences: list[str] = field(default_factory=list)
    output: str = ""


def run(plan: Plan, folder: Path, tell: Callable[[str], None] = print) -> Result:
    """The whole of it, in `folder`. Raises `DidNotHappen` where something never came."""
    result = Result()
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(aof=True))
        room = {"total_active_users": plan.ceiling, "new_users_per_minute": plan.per_minute}
        fleet = stack.enter_context(Fleet(folder, store=server.url, gateways=plan.gateways, room=room))
        added = fleet.reserve()
        load = stack.enter_context(
            Load(fleet, visitors=plan.visitors, arrive_s=plan.arrive_s, max_s=plan.max_s, seed=plan.seed)
        )
        *gentle, victim = fleet.members[:-1]
        try:
            until(
                lambda: load.runs and fleet.anyone().room()["waiting"] >= plan.waiting,
                f"{plan.waiting} wait",
                patience_s=plan.max_s,
            )
            for step, act in _steps(gentle, victim, added):
                before = _room(fleet)
                at_s = load.at_s
                act()
                after = _room(fleet)
                tell(
                    f"at {at_s:5.1f} s  {step}, {load.at_s - at_s:.1f} s; waiting {before['waiting']} -> "
                    f"{after['waiting']}, numbers to {after['tail']}, serving {after['serving']}"
                )
                if any(after[name] < before[name] for name in ("tail", "serving", "epoch")):
                    result.offences.append(f"{step}: the line went back: {before} -> {after}")
                time.sleep(plan.calm_s)
            if not load.runs:
                result.offences.append("the load tester was done before the last step: it proves less than it says")
            load.enough()
            result.report = load.wait()
        finally:
            result.output = load.output()
            (folder / "gateways.log").write_text(fleet.logs())
    result.offences += broken(result.report)
    for member in (*gentle, added):
        if cut := cut_off(result.report, member):
            result.offences.append(f"{member.name}, which only got SIGTERM, cut {cut} requests")
    return result


def _steps(gentle: list[Member], victim: Member, added: Member) -> list[tuple[str, Callable[[], object]]]:
    """What is done, one after the other; each ends when the gateway serves, or is gone."""

    def upgrade(member: Member) -> None:
        member.stop()
        member.start()

    steps: list[tuple[str, Callable[[], object]]] = [
        (f"{added.name} added", added.start),
        (f"{victim.name} killed with -9", victim.kill),
        (f"{victim.name} started again", victim.start),
    ]
    steps += [(f"{member.name} upgraded", partial(upgrade, member)) for member in (*gentle, added)]
    return [
        *steps,
        (f"{victim.name} killed with -9 again", victim.kill),
        (f"{gentle[0].name} stopped for good", gentle[0].stop),
    ]


def _room(fleet: Fleet) -> dict[str, int]:
    told = fleet.anyone().room()
    return {name: told[name] for name in ("waiting", "tail", "serving", "epoch")}


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m gateway.tests.many.rolling", description=__doc__)
    for name in ("visitors", "gateways", "waiting", "ceiling", "per_minute", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(usual, name))
    for name in ("arrive_s", "calm_s", "max_s"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    parser.add_argument("--keep", type=Path, help="a folder for the logs and the report")
    given = vars(parser.parse_args())
    keep: Path | None = given.pop("keep")
    with tempfile.TemporaryDirectory(prefix="rolling-") as made:
        folder = Path(made)
        try:
            result = run(Plan(**given), folder, lambda line: print(line, flush=True))
        finally:
            if keep is not None:
                keep_logs(folder, keep)
    print(result.output)
    print(errors_told(result.report["summary"]))
    for offence in result.offences:
        print(f"NOT KEPT: {offence}")
    return 1 if result.offences else 0


if __name__ == "__main__":
    sys.exit(main())
