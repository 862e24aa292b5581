"""The others: how each is started, and with which settings. One worker each, no access log, as fast as they go."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from loadtest.bench.ground import Ground
from loadtest.bench.program import Failed, Program, unused
from loadtest.bench.wire import SCRIPT, Address, Connection, Reply, request

PROGRAMS: Final = Path(__file__).parent / "programs"

_NGINX: Final = """\
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
worker_rlimit_nofile {files};
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_max_body_size 0;
  large_client_header_buffers 8 32k;
  open_file_cache max=100;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{more}
}}
"""
_PROXY: Final = """\
  upstream backend {{ server {host}:{port}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{listen} backlog=4096;
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      # As the gateway: bodies stream, nothing goes to disk.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }}
  }}
"""
_HAPROXY: Final = """\
global
  maxconn 4000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 60s
  option http-keep-alive
  option forwardfor
frontend visitors
  bind 127.0.0.1:{listen}
  default_backend site
backend site
  http-reuse always
  server one {host}:{port} pool-max-conn 512
"""
_CADDY: Final = """\
{{
  admin off
  auto_https off
}}
http://:{listen} {{
  bind 127.0.0.1
  reverse_proxy {host}:{port} {{
    transport http {{
      keepalive_idle_conns_per_host 512
      keepalive_idle_conns 512
      compression off
    }}
  }}
}}
"""
# Of an answer, what nginx writes by itself.
_OWN_HEADERS: Final = frozenset({"content-length", "connection", "date", "server", "transfer-encoding", "content-type"})
MIB: Final = 1024 * 1024
MARKER: Final = b"the backend answers"


def nginx(ground: Ground, name: str, servers: str, *, listen: Address, on: frozenset[int], workers: int = 1) -> Program:
    """servers: what stands within `http`."""
    folder = ground.subfolder(name)
    config = folder / "nginx.conf"
    files = ground.open_files
    # With few left, nginx closes kept ones: the limit of files is to be the only one.
    config.write_text(
        _NGINX.format(folder=folder, workers=workers, more=servers, files=files, connections=2 * files),
        encoding="ascii",
    )
    command = ["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)]
    return ground.start(Program(name, command, folder=folder, address=listen, on=on))


def backend(ground: Ground) -> Program:
    """What stands behind everybody: nginx, with an answer of 1 KiB, one of 1 MiB, and one for what is sent to it."""
    listen = unused()
    folder = ground.subfolder("backend")
    (folder / "1m").write_bytes((MARKER + b" at length; ").ljust(64, b".") * (MIB // 64))
    short = (MARKER.decode() + " shortly; ").ljust(1024, ".")
    servers = f"""\
  server {{
    listen 127.0.0.1:{listen[1]} backlog=4096;
    root {folder};
    default_type text/html;
    location / {{ return 200 '{short}'; }}
    location = /1m {{ }}
    # Reads a body whole before it answers, by asking itself for the answer.
    location = /upload {{
      client_body_buffer_size 2m;
      proxy_pass http://127.0.0.1:{listen[1]}/taken;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }}
    location = /taken {{ return 200 '{MARKER.decode()}'; }}
  }}"""
    return nginx(ground, "backend", servers, listen=listen, on=ground.cores.backend)


def nginx_saying(ground: Ground, reply: Reply) -> Program:
    """Have nginx give the same answer, word for word, in its settings: `return 200`, or a file where it is long."""
    listen = unused()
    added = " ".join(
        f"add_header {name} '{_quoted(value)}';"
        for name, value in reply.headers
        if name not in _OWN_HEADERS and name != "content-encoding"
    )
    kind = f"default_type '{reply.header('content-type') or 'text/html'}';"
    if reply.header("content-encoding") == "gzip":
        folder = ground.subfolder("nginx")
        (folder / "page.html").write_bytes(reply.body)
        (folder / "page.html.gz").write_bytes(gzip.compress(reply.body, 9))
        place = f"root {folder}; types {{ }} gzip_static on; rewrite ^ /page.html break;"
    else:
        place = f"return 200 '{_quoted(reply.body.decode())}';"
    servers = f"  server {{ listen 127.0.0.1:{listen[1]} backlog=4096; location / {{ {kind} {added} {place} }} }}"
    return nginx(ground, "nginx", servers, listen=listen, on=ground.cores.server)


def nginx_proxy(ground: Ground, behind: Address) -> Program:
    listen = unused()
    servers = _PROXY.format(host=behind[0], port=behind[1], listen=listen[1])
    return nginx(ground, "nginx", servers, listen=listen, on=ground.cores.server)


def haproxy(ground: Ground, behind: Address) -> Program:
    listen = unused()
    folder = ground.subfolder("haproxy")
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(host=behind[0], port=behind[1], listen=listen[1]), encoding="ascii")
    command = ["haproxy", "-db", "-f", str(config)]
    return ground.start(Program("haproxy", command, folder=folder, address=listen, on=ground.cores.server))


def caddy(ground: Ground, behind: Address) -> Program:
    listen = unused()
    folder = ground.subfolder("Caddy")
    config = folder / "Caddyfile"
    config.write_text(_CADDY.format(host=behind[0], port=behind[1], listen=listen[1]), encoding="ascii")
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    environ = {"GOMAXPROCS": "1", "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = Program("Caddy", command, folder=folder, address=listen, on=ground.cores.server, environ=environ)
    return ground.start(program)


def go_proxy(ground: Ground, behind: Address) -> Program:
    return _go(ground, "Go ReverseProxy", "proxy", [f"http://{behind[0]}:{behind[1]}"])


def go_poll(ground: Ground) -> Program:
    return _go(ground, "Go net/http", "poll", [])


def go_tickets(program: Program, people: int) -> list[str]:
    """The cookies of so many who joined at `go_poll`."""
    connection = Connection(program.address)
    try:
        return [connection.ask(request("GET", "/join", SCRIPT)).cookies()[0] for _ in range(people)]
    finally:
        connection.close()


def plain_aiohttp(ground: Ground, behind: Address) -> Program:
    listen = unused()
    folder = ground.subfolder("aiohttp")
    command = [sys.executable, str(PROGRAMS / "plain_proxy.py"), str(listen[1]), f"http://{behind[0]}:{behind[1]}"]
    return ground.start(Program("aiohttp", command, folder=folder, address=listen, on=ground.cores.server))


def _go(ground: Ground, name: str, program: str, words: Sequence[str]) -> Program:
    """Compile it, once, and start it. Nothing but the standard library, so nothing is fetched."""
    folder = ground.subfolder(program)
    binary = folder / program
    if not binary.exists():
        environ = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(ground.folder / "go-cache")}
        go = shutil.which("go") or "go"
        build = [go, "build", "-o", str(binary), str(PROGRAMS / f"{program}.go")]
        done = subprocess.run(build, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise Failed(f"{program}.go does not compile:\n{done.stderr}")
    listen = unused()
    command = [str(binary), f"{listen[0]}:{listen[1]}", *words]
    environ = {"GOMAXPROCS": "1"}
    return ground.start(Program(name, command, folder=folder, address=listen, on=ground.cores.server, environ=environ))


def _quoted(text: str) -> str:
    """As nginx reads it back within single quotes; it has no way to spell a dollar."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "S")


# By their names in the report and as programs.
PROXIES: Final[tuple[tuple[str, str, Callable[[Ground, Address], Program]], ...]] = (
    ("haproxy", "haproxy", haproxy),
    ("Go ReverseProxy", "go", go_proxy),
    ("Caddy", "caddy", caddy),
)
