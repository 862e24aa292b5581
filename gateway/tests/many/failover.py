"""The primary killed amid thousands of visitors at several gateways: `python -m gateway.tests.many.failover`.

Real processes throughout: a primary, two replicas and three Sentinels, the gateways, the booking site, the load tester,
which judges. Printed: what it found, how many requests saw an error, and how long after each promotion somebody was
admitted again. Exit code 0 if every promise was kept. Takes some three minutes and ends by itself.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.tests.many.fleet import Fleet, Member
from gateway.tests.many.load import Load, broken, errors_told, keep_logs
from gateway.tests.redis.sentinels import SentinelSet
from gateway.tests.redis.servers import RedisServer
from gateway.tests.stand import until

RESUMES_WITHIN_S: Final = 5.0
# How long an admission after a promotion is waited for at all.
LOOKS_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """kills: how often the primary is killed, `calm_s` after all was well. with_gateway: one goes with it each time.

    forget_s: for so long before each kill the replicas hear nothing: whoever is promoted has forgotten that much.
    min_replicas: of the store's URL. ceiling, per_minute: of the room.
    """

    visitors: int = 3_000
    arrive_s: float = 40.0
    kills: int = 3
    calm_s: float = 8.0
    gateways: int = 3
    forget_s: float = 0.3
    with_gateway: bool = False
    min_replicas: int = 0
    ceiling: int = 300
    per_minute: int = 1_200
    max_s: float = 300.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Blow:
    """One death. named_s: from the kill until a Sentinel named another; resumed_s: from then until the first admission.

    last_before_s: from the last admission to the kill. forgotten: admissions that no replica had heard of.
    at_s: since the load tester was started.
    """

    named_s: float
    resumed_s: float
    last_before_s: float
    forgotten: int
    gateway: str | None
    at_s: float

    def told(self) -> str:
        companion = f"; {self.gateway} killed with it" if self.gateway else ""
        return (
            f"at {self.at_s:.1f} s, another primary named after {self.named_s:.2f} s, first admission "
            f"{self.resumed_s:.2f} s after that (the last one {self.last_before_s:.2f} s before the kill; "
            f"{self.forgotten} no replica had heard of){companion}"
        )


@dataclass(slots=True)
class Result:
    report: dict[str, Any] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)
    offences: list[str] = field(default_factory=list)
    output: str = ""


def run(plan: Plan, folder: Path, tell: Callable[[str], None] = print) -> Result:
    """The whole of it, in `folder`. Raises `DidNotHappen` where something never came."""
    result = Result()
    rng = random.Random(plan.seed)
    with ExitStack() as stack:
        servers = stack.enter_context(SentinelSet(aof=True))
        store = f"{servers.url}?min_replicas={plan.min_replicas}"
        room = {"total_active_users": plan.ceiling, "new_users_per_minute": plan.per_minute}
        fleet = stack.enter_context(Fleet(folder, store=store, gateways=plan.gateways, room=room))
        load = stack.enter_context(
            Load(fleet, visitors=plan.visitors, arrive_s=plan.arrive_s, max_s=plan.max_s, seed=plan.seed)
        )
        try:
            until(lambda: load.runs and fleet.anyone().room()["waiting"] > plan.visitors // 20, "a line has formed")
            for number in range(plan.kills):
                time.sleep(plan.calm_s * rng.uniform(0.5, 1.5))
                companion = rng.choice(fleet.members) if plan.with_gateway else None
                blow = _strike(servers, fleet, load, companion, plan.forget_s)
                result.blows.append(blow)
                tell(f"kill {number + 1}: {blow.told()}")
            result.report = load.wait()
        finally:
            result.output = load.output()
            (folder / "gateways.log").write_text(fleet.logs())
    result.offences = _offences(plan, result)
    return result


def _strike(servers: SentinelSet, fleet: Fleet, load: Load, companion: Member | None, forget_s: float) -> Blow:
    """Kill the primary (and a gateway), see admissions go on, and bring back what was killed."""
    deaf_ms = _now_ms()
    _deafen(servers.primary(), forget_s)
    with ThreadPoolExecutor(2) as pool:
        # At once, as far as two processes can be: both are gone within a millisecond or two.
        at_s, killed_ms = load.at_s, _now_ms()
        gone = pool.submit(companion.kill) if companion is not None else None
        old = servers.kill_primary()
        if gone is not None:
            gone.result()
    named_ms = until(lambda: _now_ms() if _named(servers, old) else None, "a Sentinel names another primary")
    before = [moment for moment in _admissions(fleet) if moment <= killed_ms]
    first_ms = until(
        lambda: min((moment for moment in _admissions(fleet) if moment > named_ms), default=None),
        "somebody is admitted after the promotion",
        patience_s=LOOKS_S,
    )
    if companion is not None:
        companion.start()
    servers.revive(old)
    return Blow(
        (named_ms - killed_ms) / 1000,
        (first_ms - named_ms) / 1000,
        (killed_ms - max(before, default=killed_ms)) / 1000,
        sum(moment > deaf_ms for moment in before) if forget_s else 0,
        companion.name if companion is not None else None,
        at_s,
    )


def _deafen(primary: RedisServer, forget_s: float) -> None:
    """Cut the replicas off, and let them not come again. (Who may do what is not replicated: it dies with this one.)"""
    if forget_s:
        primary.call("ACL", "SETUSER", "default", "-psync", "-sync")
        primary.call("CLIENT", "KILL", "TYPE", "replica")
        time.sleep(forget_s)


def _named(servers: SentinelSet, old: RedisServer) -> bool:
    return any(sentinel.named() != old.port for sentinel in servers.sentinels)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _admissions(fleet: Fleet) -> list[int]:
    """When each was, of all gateways: the line's time, which is this machine's."""
    found = []
    for member in fleet.members:
        for line in member.audit_log.read_bytes().split(b"\n")[:-1]:
            told = json.loads(line)
            if told["event"] == "admitted" and not told["again"]:
                found.append(int(told["time_ms"]))
    return found


def _offences(plan: Plan, result: Result) -> list[str]:
    found = broken(result.report)
    found += [
        f"kill {number}: admission resumed {blow.resumed_s:.2f} s after the promotion"
        for number, blow in enumerate(result.blows, 1)
        if blow.resumed_s > RESUMES_WITHIN_S
    ]
    if len(result.blows) < plan.kills:
        found.append(f"{len(result.blows)} of {plan.kills} kills")
    if result.report["summary"]["stopped"]:
        found.append(f"cut short: {result.report['summary']['stopped']}")
    return found


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m gateway.tests.many.failover", description=__doc__)
    for name in ("visitors", "kills", "gateways", "min_replicas", "ceiling", "per_minute", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(usual, name))
    for name in ("arrive_s", "calm_s", "forget_s", "max_s"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    parser.add_argument("--with-gateway", action="store_true", help="a gateway is killed with each primary")
    parser.add_argument("--keep", type=Path, help="a folder for the logs and the report")
    given = vars(parser.parse_args())
    keep: Path | None = given.pop("keep")
    with tempfile.TemporaryDirectory(prefix="failover-") as made:
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
