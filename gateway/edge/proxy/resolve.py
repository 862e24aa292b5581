"""The addresses of a server's name, kept fresh without making a request wait."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Final

_LOG: Final = logging.getLogger(__name__)

# Takes a host name, gives its addresses as text. Raises OSError.
Resolve = Callable[[str], Awaitable[Sequence[str]]]


async def resolve(host: str) -> list[str]:
    """As the system does it. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_text(address) for _, _, _, _, address in found))


class Addresses:
    """The addresses of one host. `known` is what was found last, empty before the first look."""

    def __init__(
        self, host: str, *, refresh_s: float, monotonic: Callable[[], float], resolve: Resolve = resolve
    ) -> None:
        self._host = host
        self._refresh_s = refresh_s
        self._monotonic = monotonic
        self._resolve = resolve
        self._looking: asyncio.Task[None] | None = None
        self._looked_s: float | None = None
        self._failing = False
        self._turn = 0
        self._bad: set[str] = set()
        self._fixed = _is_address(host)
        self.known: tuple[str, ...] = (host,) if self._fixed else ()

    async def in_turn(self) -> list[str]:
        """All of them, another one first each time, those that were lately out of reach last.

        Waits for DNS only as long as nothing is known. Raises OSError then.
        """
        self.refresh()
        if not self.known and self._looking is not None:
            # One look for all who wait, which goes on for the others when one of them gives up.
            await asyncio.wait([self._looking])
        if not self.known:
            raise OSError(f"no address is known for {self._host}")
        self._turn += 1
        start = self._turn % len(self.known)
        return sorted(self.known[start:] + self.known[:start], key=self._bad.__contains__)

    def mark(self, address: str, *, reached: bool) -> None:
        """Remember, until the next look, whether an address could be reached."""
        if reached:
            self._bad.discard(address)
        else:
            self._bad.add(address)

    def refresh(self) -> None:
        """Begin a look if one is due; what is known serves on meanwhile."""
        if self._fixed or self._looking is not None:
            return
        if self.known and self._looked_s is not None and self._monotonic() - self._looked_s < self._refresh_s:
            return
        self._looking = asyncio.get_running_loop().create_task(self._look(), name=f"resolve {self._host}")

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        try:
            found = await self._resolve(self._host)
        except OSError as error:
            if not self._failing:
                _LOG.warning("the name of a server cannot be resolved", extra={"host": self._host, "why": str(error)})
            self._failing = True
        else:
            if self._failing:
                _LOG.info("the name of a server can be resolved again", extra={"host": self._host})
            self._failing = False
            self._bad.clear()
            self.known = tuple(found)
        finally:
            self._looked_s = self._monotonic()
            self._looking = None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _text(address: tuple[object, ...]) -> str:
    """A socket address's host. A link-local IPv6 address means nothing without its zone."""
    host, zone = str(address[0]), address[3] if len(address) > 3 else 0  # noqa: PLR2004
    return f"{host}%{zone}" if zone and "%" not in host else host
