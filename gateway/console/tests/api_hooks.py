"""For the fuzzer: what it could never make up, in place of what it invents, so that it gets further in.

What is wrong on purpose stays wrong: only values that fit the schema are replaced.
"""

import os
import re
from datetime import datetime
from typing import Any

import schemathesis

_TICKET = os.environ.get("CONSOLE_TICKET", "")
_LATER = os.environ.get("CONSOLE_LATER", "")
_MOST_CONFIRMED, _MOST_TICKET, _MOST_NETWORKS = 100, 512, 20
_GOOD_NETWORKS = ["10.1.0.0/16", "2001:db8::/32"]


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    found = dict(body)
    path = context.operation.path if context.operation is not None else ""
    if path.endswith("/reset") and _is_text(found.get("confirm"), _MOST_CONFIRMED):
        found["confirm"] = ("north", "south")[len(found["confirm"]) % 2]
    if path.endswith("/lookup") and _is_text(found.get("ticket"), _MOST_TICKET, least=1):
        found["ticket"] = _TICKET
    for name in {"expires_at", "opens_at"} & set(found):
        if not path.endswith("{room}") and _is_moment(found[name]):
            found[name] = _LATER
    networks = found.get("networks")
    if (
        isinstance(networks, list)
        and len(networks) <= _MOST_NETWORKS
        and all(isinstance(each, str) for each in networks)
    ):
        found["networks"] = [_GOOD_NETWORKS[len(each) % 2] for each in networks] or _GOOD_NETWORKS[:1]
        if isinstance(found.get("paths"), list) and all(isinstance(each, str) for each in found["paths"]):
            found["paths"] = ["/n/desk" for _ in found["paths"][:20]] + found["paths"][20:]
    return found


def _is_text(value: Any, most: int, *, least: int = 0) -> bool:
    return isinstance(value, str) and least <= len(value) <= most


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\dT", value):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
