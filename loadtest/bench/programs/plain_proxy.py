"""A reverse proxy as aiohttp's own parts make it, a web application and a client session.

What Sunbeon would cost if it were written in the ordinary way and did nothing else. `plain_proxy.py PORT http://BACKEND`.
"""

import sys
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import uvloop
from aiohttp import web

_HOP: Final = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})
_SHORT: Final = 65_536
_SESSION: Final = web.AppKey("session", aiohttp.ClientSession)


def application(backend: str) -> web.Application:
    app = web.Application(client_max_size=1 << 30)

    async def session(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=512)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as app[_SESSION]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        headers.append(("Host", request.host))
        data = request.content if request.body_exists else None
        async with request.app[_SESSION].request(
            request.method, backend + request.path_qs, headers=headers, data=data, allow_redirects=False
        ) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            if (answer.content_length or _SHORT + 1) <= _SHORT:
                return web.Response(status=answer.status, headers=kept, body=await answer.read())
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


if __name__ == "__main__":
    web.run_app(
        application(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )
