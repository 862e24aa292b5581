"""WebDAV by WsgiDAV: methods no browser sends, headers that hold addresses, Digest, ranges, locks."""

import secrets
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from aiohttp import ClientSession, DigestAuthMiddleware
from yarl import URL

from gateway.tests.backends.front import client
from gateway.tests.backends.names import PASSWORD, USER
from shared.wire import GATE_HEADER

NAME = "%EA%B0%80%20b%23c;d=1%2525.txt"
LOCK = b"""<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype>
<owner>somebody</owner></lockinfo>"""
PATCH = b"""<?xml version="1.0"?><propertyupdate xmlns="DAV:" xmlns:x="urn:x"><set><prop><x:colour>red</x:colour></prop>
</set></propertyupdate>"""


@pytest.fixture
async def who(dav):
    async with client(dav, middlewares=(DigestAuthMiddleware(USER, PASSWORD),)) as session:
        yield session


@pytest.fixture
async def folder(dav, who):
    """The address of a collection of this test's own."""
    made = f"{dav.origin}/{secrets.token_hex(4)}"
    assert await status(who, "MKCOL", made) == 201
    return made


async def status(who: ClientSession, method: str, address: str, **more) -> int:
    async with who.request(method, URL(address, encoded=True), **more) as answer:
        assert GATE_HEADER not in answer.headers, "the answer is the server's own"
        return answer.status


async def names(who: ClientSession, folder: str) -> set[str]:
    """The members of a collection, spelled as the server does."""
    async with who.request("PROPFIND", folder, headers={"Depth": "1"}) as answer:
        assert answer.status == 207
        hrefs = ET.fromstring(await answer.read()).iter("{DAV:}href")
        return {(each.text or "").rpartition("/")[2] for each in hrefs} - {""}


async def test_what_is_put_can_be_copied_moved_described_fetched_and_deleted(who, folder):
    content = secrets.token_bytes(4_000_001)
    assert await status(who, "PUT", f"{folder}/one", data=BytesIO(content)) == 201
    # With the scheme and host of the visitors: the server compares them with what it thinks its own are.
    assert await status(who, "COPY", f"{folder}/one", headers={"Destination": f"{folder}/two"}) == 201
    assert await status(who, "MOVE", f"{folder}/one", headers={"Destination": f"{folder}/three"}) == 201
    keep = {"Destination": f"{folder}/three", "Overwrite": "F"}
    assert await status(who, "COPY", f"{folder}/two", headers=keep) == 412
    assert await names(who, folder) == {"two", "three"}
    for name in ("two", "three"):
        async with who.get(f"{folder}/{name}") as answer:
            assert await answer.read() == content
    assert await status(who, "DELETE", f"{folder}/two") == 204
    assert await names(who, folder) == {"three"}


async def test_a_name_full_of_escapes_is_one_file_for_every_method(who, folder):
    # Unescaped once too often or too rarely, it would be another file, or none.
    assert await status(who, "PUT", f"{folder}/{NAME}", data=b"x") == 201
    assert await status(who, "GET", f"{folder}/{NAME}?a=%2f&b=+") == 200
    assert {unquote(each) for each in await names(who, folder)} == {"가 b#c;d=1%25.txt"}
    assert await status(who, "DELETE", f"{folder}/{NAME}") == 204


async def test_a_lock_holds_off_whoever_does_not_know_its_token(who, folder):
    address = f"{folder}/kept"
    async with who.request("LOCK", address, data=LOCK, headers={"Timeout": "Second-60"}) as answer:
        assert answer.status in {200, 201}
        token = answer.headers["Lock-Token"]
    assert await status(who, "PUT", address, data=b"x") == 423
    assert await status(who, "PUT", address, data=b"x", headers={"If": f"({token})"}) == 204
    assert await status(who, "UNLOCK", address, headers={"Lock-Token": token}) == 204
    assert await status(who, "PUT", address, data=b"y") == 204


async def test_bodies_come_whole_however_they_are_sent(who, folder):
    content = secrets.token_bytes(300_000)

    async def parts():
        for start in range(0, len(content), 70_000):
            yield content[start : start + 70_000]

    for name, sent in (("sized", {"data": content}), ("chunked", {"data": parts()}), ("empty", {"data": b""})):
        assert await status(who, "PUT", f"{folder}/{name}", **sent) == 201
        async with who.get(f"{folder}/{name}") as answer:
            assert await answer.read() == (b"" if name == "empty" else content)
    assert await status(who, "PUT", f"{folder}/expected", data=content, expect100=True) == 201
    assert await status(who, "PROPPATCH", f"{folder}/sized", data=PATCH) == 207


async def test_ranges_and_conditions_are_the_servers_to_judge(who, folder):
    content = secrets.token_bytes(100_000)
    assert await status(who, "PUT", f"{folder}/one", data=content) == 201
    async with who.get(f"{folder}/one", headers={"Range": "bytes=1000-1999"}) as part:
        assert (part.status, part.headers["Content-Range"]) == (206, "bytes 1000-1999/100000")
        assert await part.read() == content[1000:2000]
    async with who.get(f"{folder}/one", headers={"Range": "bytes=-5"}) as part:
        assert await part.read() == content[-5:]
    assert await status(who, "GET", f"{folder}/one", headers={"Range": "bytes=200000-"}) == 416
    async with who.head(f"{folder}/one") as head:
        tag = head.headers["ETag"]
        assert (head.status, head.headers["Content-Length"]) == (200, "100000")
    assert await status(who, "GET", f"{folder}/one", headers={"If-None-Match": tag}) == 304
    assert await status(who, "PUT", f"{folder}/one", data=b"", headers={"If-Match": '"another"'}) == 412


async def test_the_server_says_what_it_can(who, folder):
    async with who.options(folder) as answer:
        assert answer.headers["DAV"].startswith("1,2")
        assert {"PROPFIND", "MOVE"} <= {each.strip() for each in answer.headers["Allow"].split(",")}
