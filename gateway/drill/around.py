"""What lies around the gate: the waiting page, its cookies, the backend's own port, the operator API."""

import time
from typing import Final

from gateway.drill.exchange import Answer, Fields
from gateway.drill.forgery import MADE_UP_PROOF, UNSIGNED_PROOF
from gateway.drill.plan import Drill
from gateway.drill.report import Row
from gateway.drill.site import expect
from shared.passes import PassClaims, sign
from shared.wire import PASS_HEADER, SECURE_PREFIX, How

REFUSED: Final = frozenset({401, 403})
UNAUTHORISED: Final = 401
DAY_S: Final = 86_400
_OPERATORS_WORDS: Final = (b'"rooms":', b"sunbeon_waiting_users", b"operator token")


async def page(drill: Drill, row: Row) -> None:
    """What keeps a waiting page from being stored, framed by scripts of others, or made to run them."""
    exchange = drill.first or await drill.site.ask("GET", drill.site.page)
    answer = exchange.answer or Answer(0, (), b"")
    csp = answer.get("Content-Security-Policy") or ""
    scripts = next((part for part in csp.split(";") if part.strip().startswith("script-src")), csp)
    wanted = {
        "a Content-Security-Policy without scripts of others": bool(csp)
        and "'unsafe-inline'" not in scripts
        and "'unsafe-eval'" not in scripts
        and " *" not in scripts,
        "never kept by a cache": "no-store" in (answer.get("Cache-Control") or ""),
        "read as what it says it is": answer.get("X-Content-Type-Options") == "nosniff",
        "no address told to other sites": bool(answer.get("Referrer-Policy")),
    }
    for what, good in wanted.items():
        expect(row, what, exchange, good=good and answer.gate is not None, why="it is missing")


async def cookies(drill: Drill, row: Row) -> None:
    exchange = drill.first or await drill.site.ask("GET", drill.site.page)
    answer = exchange.answer or Answer(0, (), b"")
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie" and drill.site.ticket in value]
    if not lines:
        row.not_tried.append("the gate set no cookie under the name it has here")
        if any(name.removeprefix(SECURE_PREFIX).startswith("sunbeon_") for name in answer.cookies):
            expect(row, "the cookie's name", exchange, good=False,
                   why=f"it is not {SECURE_PREFIX}, though visitors come by https")  # fmt: skip
        return
    flags = {part.strip().lower() for part in lines[0].split(";")[1:]}
    wanted = {"HttpOnly", "SameSite=Lax", "Path=/"}
    if drill.site.wire.origin.scheme == "https":
        wanted |= {"Secure"}
    for flag in sorted(wanted):
        expect(row, flag, exchange, good=flag.lower() in flags, why="it is missing")


async def backend(drill: Drill, row: Row) -> None:
    """Asked past the gate, the backend must refuse, whatever proof it is shown."""
    if drill.backend is None:
        row.not_tried.append("where the backend is, was not said: --backend-url")
        return
    tries: list[tuple[str, Fields]] = [
        ("without a proof", ()),
        ("an unsigned proof", ((PASS_HEADER, UNSIGNED_PROOF),)),
        ("a proof with a made-up signature", ((PASS_HEADER, MADE_UP_PROOF),)),
        ("two proofs", ((PASS_HEADER, UNSIGNED_PROOF), (PASS_HEADER, MADE_UP_PROOF))),
        ("the gate's address", (("X-Forwarded-For", "127.0.0.1"), ("Via", "1.1 sunbeon"))),
    ]
    expired = _expired_proof(drill)
    if expired is None:
        row.not_tried.append("an expired proof: only who has the gateway's keys can make one (--config)")
    else:
        tries.append(("an expired proof", ((PASS_HEADER, expired),)))
    for what, fields in tries:
        exchange = await drill.backend.ask("GET", drill.site.page, fields)
        status = exchange.answer.status if exchange.answer is not None else 0
        expect(
            row, what, exchange, good=status in REFUSED, why=f"it answered {status}, and should refuse with 401 or 403"
        )


def _expired_proof(drill: Drill) -> str | None:
    if drill.settings is None:
        return None
    from gateway import keys

    then_s = int(time.time()) - DAY_S
    claims = PassClaims(
        drill.site.room or "drill", "x-drill", How.LINE, 1, 1, 1, None, 1, issued_s=then_s, expires_s=then_s + 60
    )
    return sign(claims, keys.load(drill.settings.gateway.keys_file).backend)


async def operator_paths(drill: Drill, row: Row) -> None:
    """What is the operators' must not be on the visitors' listener."""
    for path in ("/api/rooms", "/metrics", "/healthz", "/readyz", f"/api/rooms/{drill.site.room}"):
        exchange = await drill.site.ask("GET", path, (("Accept", "application/json"),))
        answer = exchange.answer
        there = answer is not None and answer.gate is None and _is_operators(answer)
        expect(row, path, exchange, good=answer is not None and not there, why="the operator API answered there")


def _is_operators(answer: Answer) -> bool:
    challenged = answer.status == UNAUTHORISED and answer.get("Server") == "sunbeon"
    return challenged or any(word in answer.body for word in _OPERATORS_WORDS)


async def operator_token(drill: Drill, row: Row) -> None:
    """The operator API says nothing to who has no token, or a wrong one."""
    if drill.operator is None:
        row.not_tried.append("where the operators' listener is, was not said: --operator-url")
        return
    wrong = (("Authorization", "Bearer sunbeon-drill"),)
    for method, path, fields in (
        ("GET", "/api/rooms", ()),
        ("GET", "/api/rooms", wrong),
        ("GET", "/metrics", ()),
        ("PATCH", f"/api/rooms/{drill.site.room}", wrong),
    ):
        exchange = await drill.operator.ask(method, path, fields)
        status = exchange.answer.status if exchange.answer is not None else 0
        what = f"{method} {path} with {'a wrong' if fields else 'no'} token"
        expect(row, what, exchange, good=status in {401, 429}, why=f"it answered {status} instead of 401")


async def store_away(_drill: Drill, row: Row) -> None:
    row.applies = False
    row.notes.append(
        'never tried on a live system; what happens then: docs/architecture.md, "If the store cannot be asked"'
    )


async def rules(drill: Drill, row: Row) -> None:
    """Who needs no turn by the settings, and why: to be read by somebody who knows."""
    row.applies = False
    if drill.settings is None:
        row.notes.append("what they are, the settings file says: --config")
        return
    of_room = [rule for room in drill.settings.room if room.name == drill.site.room for rule in room.bypass]
    for rule in of_room:
        told = [
            ("paths", rule.paths),
            ("networks", rule.networks),
            ("agents", rule.user_agents),
            ("methods", rule.methods),
        ]
        conditions = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in told if values)
        row.notes.append(f"{rule.name}: {conditions} ({rule.reason})")
    if not of_room:
        row.notes.append("none")
