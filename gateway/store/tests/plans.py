"""Plans for tests: whatever a policy might decide, without one."""

from dataclasses import replace
from typing import Any

from gateway.room.model import AGE_BINS, USER_CREDIT, Snapshot, TickPlan

PLENTY = 1_000 * USER_CREDIT


def idle_plan(snapshot: Snapshot, **changes: Any) -> TickPlan:
    """A plan that leaves everything as it is, but for `changes`."""
    plan = TickPlan(
        now_ms=snapshot.now_ms,
        pass_clock_ms=snapshot.pass_clock_ms,
        call_clock_ms=snapshot.call_clock_ms,
        admitting=snapshot.admitting,
        credit_add=0,
        credit_cap=10**12,
        call_credit=snapshot.call_credit,
        watermark=snapshot.watermark,
        grant_expiry_ms=10**9,
        grants=0,
        serve_to=snapshot.serving,
        at_risk_add=(0,) * AGE_BINS,
        halve_curve=False,
        pace_milli=snapshot.pace_milli,
        total_active_users=snapshot.limits.total_active_users,
        draw=False,
    )
    return replace(plan, **changes)


def opening_plan(snapshot: Snapshot, **changes: Any) -> TickPlan:
    """Call everyone, with credit for all."""
    wanted = {"admitting": True, "credit_add": PLENTY, "serve_to": snapshot.tail, **changes}
    return idle_plan(snapshot, **wanted)
