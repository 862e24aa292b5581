"""nginx by the shipped files, before two gateways: a visitor stays with one, and goes to the other when it is gone."""

import asyncio
import re
import ssl
from contextlib import AsyncExitStack

from gateway.edge.tests.backend import Backend, answer, running
from gateway.edge.tests.front import Connection
from gateway.edge.tests.tls import certificates
from gateway.tests.deployment.shipped import DEPLOY
from gateway.tests.front_servers.servers import Nginx, _put

REQUESTS = 10


class NginxBeforeTwo(Nginx):
    """gateways: their addresses. The two files are put together as the second says."""

    gateways: tuple[str, str]

    def _write(self) -> None:
        super()._write()
        file = self._folder / "sunbeon.conf"
        upstream = (DEPLOY / "nginx" / "gateways.conf").read_text(encoding="utf-8")
        for address, ours in zip(("10.0.0.31:8080", "10.0.0.32:8080"), self.gateways, strict=True):
            upstream = _put(upstream, re.escape(f"server {address} "), f"server {ours} ")
        text = _put(
            file.read_text(), "proxy_next_upstream off;", "proxy_next_upstream error;\nproxy_next_upstream_tries 2;"
        )
        file.write_text(_put(text, r"(?s)upstream sunbeon \{.*?\n\}\n", upstream))


async def ask(port: int, method: str = "GET") -> tuple[int, bytes]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
    await connection.send(f"{method} / HTTP/1.1\r\nHost: {certificates.HOST}\r\nContent-Length: 0\r\n\r\n".encode())
    got = await connection.answer()
    await connection.close()
    return got.status, got.body


async def test_a_visitor_stays_with_one_gateway_and_goes_to_the_other_when_it_is_gone(tmp_path):
    certificates.write(tmp_path)
    async with AsyncExitStack() as stack:
        gateways = [Backend(reply=answer(name)) for name in (b"one", b"two")]
        serving = [await stack.enter_async_context(AsyncExitStack()) for _ in gateways]
        for gateway, own in zip(gateways, serving, strict=True):
            await own.enter_async_context(running(gateway))
        nginx = NginxBeforeTwo(tmp_path, "http://127.0.0.1:9")
        nginx.gateways = (f"127.0.0.1:{gateways[0].port}", f"127.0.0.1:{gateways[1].port}")
        checked = await asyncio.to_thread(nginx.check)
        assert (checked.returncode, "[warn]" in checked.stderr) == (0, False), checked.stderr
        await asyncio.to_thread(nginx.__enter__)
        stack.push_async_callback(asyncio.to_thread, nginx.__exit__)
        answers = [await ask(nginx.port, method) for method in ("GET", "POST") * REQUESTS]
        assert len(set(answers)) == 1
        status, first = answers[0]
        assert status == 200
        await serving[[b"one", b"two"].index(first)].aclose()
        answers = [await ask(nginx.port, method) for method in ("GET", "POST") * REQUESTS]
        assert set(answers) == {(200, {b"one": b"two", b"two": b"one"}[first])}
