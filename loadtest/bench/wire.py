"""Requests as a browser writes them, byte for byte as the generator sends them, and what comes back, whole."""

import gzip
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

Address = tuple[str, int]

PATIENCE_S: Final = 20.0
_READ: Final = 65_536
_HEAD_END: Final = b"\r\n\r\n"

# As Chrome sends them, with the cookies of others that a site in use has.
COMMON: Final[Mapping[str, str]] = {
    "Connection": "keep-alive",
    "sec-ch-ua": '"Chromium";v="126", "Google Chrome";v="126", "Not-A.Brand";v="8"',
    "sec-ch-ua-mobile": "?0",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36",
    "sec-ch-ua-platform": '"Windows"',
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7",
}
PAGE: Final[Mapping[str, str]] = {
    "Upgrade-Insecure-Requests": "1",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
}
SCRIPT: Final[Mapping[str, str]] = {
    "Accept": "*/*",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Referer": "http://reserve.example/booking",
}
OTHER_COOKIES: Final = "_ga=GA1.1.1203948576.1626663600; JSESSIONID=7B1D0C9F3E5A42B8A6D1; lang=ko"
HOST: Final = "reserve.example"


def request(method: str, target: str, kind: Mapping[str, str], cookies: Iterable[str] = (), body: bytes = b"") -> bytes:
    """One request as it goes out. cookies: `name=value`, beside those every browser has."""
    headers = {"Host": HOST, **COMMON, **kind, "Cookie": "; ".join((OTHER_COOKIES, *cookies))}
    if body:
        headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(len(body))}
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Reply:
    """size: all bytes, head included. headers: names in lower case. body: decompressed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def cookies(self) -> tuple[str, ...]:
        """What it sets, as `name=value`, less what it takes away."""
        pairs = (value.partition(";")[0] for key, value in self.headers if key == "set-cookie")
        return tuple(pair for pair in pairs if not pair.endswith("="))


class Connection:
    """A kept connection. Everybody measured states the length of what it sends, or sends chunks."""

    def __init__(self, address: Address, *, source: str | None = None) -> None:
        """source: the address it comes from, if not the usual one."""
        self._socket = socket.create_connection(
            address, timeout=PATIENCE_S, source_address=(source, 0) if source is not None else None
        )
        self._buffer = b""

    def ask(self, sent: bytes) -> Reply:
        """Raises `OSError`, also where the other side closes before its answer is whole."""
        self._socket.sendall(sent)
        while _HEAD_END not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(_HEAD_END)
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        by_name = dict(headers)
        if "chunked" in by_name.get("transfer-encoding", ""):
            body, size = self._chunks()
        else:
            size = int(by_name["content-length"])
            body = self._take(size)
        if by_name.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return Reply(int(first.split()[1]), headers, body, len(head) + len(_HEAD_END) + size)

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        more = self._socket.recv(_READ)
        if not more:
            raise ConnectionResetError("closed before the answer was whole")
        self._buffer += more

    def _take(self, size: int) -> bytes:
        parts = [self._buffer]
        missing = size - len(self._buffer)
        while missing > 0:
            more = self._socket.recv(_READ)
            if not more:
                raise ConnectionResetError("closed before the answer was whole")
            parts.append(more)
            missing -= len(more)
        whole = b"".join(parts)
        self._buffer = whole[size:]
        return whole[:size]

    def _chunks(self) -> tuple[bytes, int]:
        body, size = b"", 0
        while True:
            while b"\r\n" not in self._buffer:
                self._read()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            length = int(line.partition(b";")[0], 16)
            body += self._take(length)
            self._take(2)
            size += len(line) + 2 + length + 2
            if not length:
                return body, size


def ask(address: Address, sent: bytes) -> Reply:
    """On a connection of its own."""
    connection = Connection(address)
    try:
        return connection.ask(sent)
    finally:
        connection.close()
