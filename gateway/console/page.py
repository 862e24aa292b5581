"""The operators' console: a page that holds nothing, so that it is open to all. What it shows it asks for with a token.

Its files are read when they are asked for the first time. Its security policy lets nothing run but these files, takes
nothing from elsewhere, lets no text become markup (trusted types), and lets nobody frame it.
"""

from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.console.answers import Refused
from gateway.console.operations import ANY, Operation, in_path

_HERE: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}
PAGE: Final = "console.html"
FILES: Final = tuple(sorted(path.name for path in _HERE.iterdir() if path.suffix in _KINDS))

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def console_page(_: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "Permissions-Policy": "camera=(), geolocation=(), microphone=()"}
    return web.Response(body=_read(PAGE), content_type="text/html", charset="utf-8", headers=headers)


async def console_file(request: web.Request) -> web.Response:
    name = request.match_info["file"]
    if name not in FILES:
        raise Refused(404, "no such file")
    return web.Response(body=_read(name), content_type=_KINDS[Path(name).suffix], charset="utf-8")


@cache
def _read(name: str) -> bytes:
    return (_HERE / name).read_bytes()


_FILE: Final = in_path("file", "A file of the console.", enum=list(FILES))

OPERATIONS: Final = (
    Operation("GET", "/", console_page, "The console.", None, None, kind="text/html"),
    Operation(
        "GET", "/console/{file}", console_file, "What the console is made of.", None, None, kind=ANY,
        parameters=(_FILE,), refuses={404: "no such file"},
    ),
)  # fmt: skip
