"""Who has the hot path forward requests, and who looks on."""

import re
from typing import Any

from gateway.edge.hot_forward import HotForward, _Exchange
from gateway.edge.later import LATER
from gateway.edge.patience import Patience
from gateway.edge.proxy.relay import Relay
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import Front, Visitor

ID = re.compile(rb"X-Request-ID: [0-9a-f]{32}\r\n")
BROWSER = {
    "Connection": "keep-alive",
    "User-Agent": "Mozilla/5.0 (Linux; Android 13)",
    "Accept": "text/html",
    "Accept-Language": "ko-KR,ko;q=0.9",
    "Sec-Fetch-Mode": "navigate",
}
SMALL = b"HTTP/1.1 200 OK\r\nDate: today\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok"


class Watch:
    """taken: requests that the hot path forwarded. left: answers left to the ordinary one. later: what it took up."""

    def __init__(self, site: Front, monkeypatch) -> None:
        self.site = site
        self.taken = self.later = self.left = 0
        self._path = site.server.hot
        self.on()
        run, begin = Relay.run, _Exchange.begin

        async def counted(relay, **more):
            self.left += 1
            return await run(relay, **more)

        def begun(exchange, *more):
            taken = begin(exchange, *more)
            self.taken += taken
            return taken

        monkeypatch.setattr(Relay, "run", counted)
        monkeypatch.setattr(_Exchange, "begin", begun)

    def _counting(self, data, send, caller=None):
        assert self._path is not None
        told = self._path(data, send, caller)
        self.later += told is LATER
        return told

    @property
    def forward(self) -> HotForward:
        path: Any = self._path
        found: HotForward = path.__self__._forward
        return found

    @property
    def waiting(self) -> Patience:
        """Who waits to hear of a pass."""
        return self.forward.confirming.under_way

    def on(self) -> None:
        self.site.server.hot = self._counting

    def off(self) -> None:
        self.site.server.hot = None


async def inside(site: Front, **more) -> Visitor:
    visitor = site.visitor(headers={**BROWSER, **more})
    assert (await visitor.get("/book")).gate is None
    # What the backend answers first takes the pass off trial.
    await until(lambda: not site.line._trials._asked, "the store knows")
    site.clock.now_ms += 1_000
    # Else the store is out of reach in a moment, whenever a tick is under way.
    await site.line.tick_now()
    assert (await visitor.get("/book")).gate is None
    return visitor


def the_same(head: bytes) -> bytes:
    return ID.sub(b"", head)
