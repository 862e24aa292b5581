"""A real nginx before the same backend: what the world's most used reverse proxy makes of the same bytes."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.edge.tests.backend import LOOK_S, PATIENCE_S
from gateway.tests.http.requests import LIMIT

PROGRAM: Final = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

# Set up as we would before a booking site: nothing held back, connections kept, WebSocket and nothing else upgraded.
_CONFIG: Final = """
daemon off;
master_process off;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log info;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    client_max_body_size %(limit)d;
    lingering_close off;
    underscores_in_headers on;
    upstream backend { server 127.0.0.1:%(backend)d; keepalive 8; }
    map $http_upgrade $switch { default ""; "~*^websocket$" $http_upgrade; }
    map $switch $hop { default Upgrade; "" ""; }
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            proxy_pass_header Server;
            proxy_pass_header Date;
            proxy_set_header Host $http_host;
            proxy_set_header Via "1.1 nginx";
            proxy_set_header Connection $hop;
            proxy_set_header Upgrade $switch;
        }
    }
}
"""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def nginx(folder: Path, backend: int) -> AsyncIterator[int]:
    """An nginx before the backend at this port, until the context ends. Its own port."""
    assert PROGRAM is not None
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG % {"folder": folder, "backend": backend, "port": port, "limit": LIMIT})
    process = await asyncio.create_subprocess_exec(PROGRAM, "-e", str(folder / "error.log"), "-c", str(config))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not _listens(port):
                assert process.returncode is None, (folder / "error.log").read_text()
                await asyncio.sleep(LOOK_S)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
