"""The visitors' listener: aiohttp's, but for what it says of requests that never reach the gate.

Whatever cannot be parsed is answered shortly and noted at debug level without its content: anyone can send a million,
and cookies stand in them. A fault of ours that even the gate did not catch is logged in full and told to nobody.
"""

import logging
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from shared.wire import GATE_HEADER

_LOG: Final = logging.getLogger(__name__)


class Server(web.Server):
    """`web.Server` whose connections answer errors in our words."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - holds the bytes that were sent
    ) -> web.StreamResponse:
        """A short answer that repeats nothing and ends the connection. Raises if an answer has begun already."""
        if isinstance(exc, HttpProcessingError):
            _LOG.debug("a request could not be parsed", extra={"kind": type(exc).__name__})
        elif isinstance(exc, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            _LOG.debug("a client went away", extra={"kind": type(exc).__name__})
        elif exc is not None:
            _LOG.error("a request failed through a fault of the gateway's", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = web.Response(
            status=status,
            text=f"{status} {HTTPStatus(status).phrase}\n",
            headers={
                GATE_HEADER: "bad_request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable",
                "Server": "sunbeon",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )
        response.force_close()
        return response
