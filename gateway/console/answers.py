"""Answers of the operator API: JSON, and problem documents (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from shared.wire import PROBLEM_JSON


def json(data: Any, *, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(data),
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    body = orjson.dumps({"type": "about:blank", "status": status, "title": detail, **more})
    kept = {"Content-Type": PROBLEM_JSON, "Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, body=body, headers=kept)
