"""TLS on the visitors' listener: its certificate, followed when the files change, and a listener that waits for nobody.

A changed certificate is read and checked whole before anybody sees it. From then on new handshakes get it; connections
under way keep theirs. Files that cannot be used leave the certificate before them in use.
"""

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.settings import Gateway
from shared.errors import SunbeonError
from shared.stamp import stamp_of

_LOG: Final = logging.getLogger(__name__)

LOOK_S: Final = 1.0
# A handshake takes one or two round trips; whoever takes longer holds a connection for nothing.
HANDSHAKE_S: Final = 10.0
# And so does whoever does not answer our goodbye.
GOODBYE_S: Final = 3.0
# New connections.
ACCEPTED_IN_A_TURN: Final = 16


class CertificateProblem(SunbeonError):
    """The certificate or its key cannot be used. The message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """warning: what visitors' browsers will object to, though TLS works; None if nothing."""

    context: ssl.SSLContext
    warning: str | None


def load(certificate: Path, key: Path) -> Loaded:
    """A certificate with its chain (leaf first) and its key, both PEM, ready to serve. Raises `CertificateProblem`."""
    leaf, private = _leaf(certificate), _private_key(key)
    if leaf.public_key() != private.public_key():
        raise CertificateProblem(f"{key}: is not the key of the first certificate in {certificate}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client could ask for a new handshake without end within one connection.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password, so that OpenSSL never asks the terminal for one.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise CertificateProblem(f"{certificate}: cannot be used: {why}") from None
    return Loaded(context, _warning(certificate, leaf))


class Certificate:
    """The listener's certificate. `context` is for the listener and stays the same however often the files change."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises `CertificateProblem`."""
        self._files = (certificate, key)
        self._stamp = self._seen = self._told = self._look()
        self.context = self._current = self._load()
        # Asked at every client's first word, whether it names a host or not.
        self.context.sni_callback = self._choose

    @classmethod
    def of(cls, settings: Gateway) -> Self | None:
        """None if HTTPS does not end here. Raises `CertificateProblem`."""
        if settings.tls_certificate is None or settings.tls_key is None:
            return None
        return cls(settings.tls_certificate, settings.tls_key)

    def refresh(self) -> bool:
        """Take up files that have changed; True if new handshakes get another certificate from now on.

        Two files are not replaced in one moment: only what stayed the same from one look to the next is read. What
        cannot be used is logged once, and tried again at every look (a change of mode does not show in the stamp).
        """
        stamp = self._look()
        moving, self._seen = stamp != self._seen, stamp
        if moving or stamp == self._stamp:
            return False
        try:
            self._current = self._load()
        except CertificateProblem as error:
            if stamp != self._told:
                why = {"why": str(error)}
                _LOG.error("the new certificate cannot be used; the one before it stays in use", extra=why)
            self._told = stamp
            return False
        self._stamp = stamp
        return True

    async def watch(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.refresh():
                _LOG.info("the certificate was read again", extra={"file": str(self._files[0])})

    def _load(self) -> ssl.SSLContext:
        loaded = load(*self._files)
        if loaded.warning is not None:
            _LOG.warning("browsers will refuse the certificate", extra={"why": loaded.warning})
        return loaded.context

    def _look(self) -> tuple[object, ...]:
        return tuple(stamp_of(file) for file in self._files)

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _host: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


class Site(web.SockSite):
    """`web.SockSite` that takes several connections at once and, under TLS, does not wait for clients who say nothing.

    uvloop takes one connection from a socket in each turn of the event loop. Turns are long when there is much to do,
    and whoever comes anew would wait longest just then, people inside among them. So it is given the same socket
    several times.
    """

    async def start(self) -> None:
        await web.BaseSite.start(self)
        self._server = await self._listen(self._sock)
        self._more = [await self._listen(self._sock.dup()) for _ in range(ACCEPTED_IN_A_TURN - 1)]

    async def stop(self) -> None:
        for each in self._more:
            each.close()
        await super().stop()

    async def _listen(self, sock: socket.socket) -> asyncio.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 - for mypy: no site is made before its runner is set up
        return await asyncio.get_running_loop().create_server(
            server,
            sock=sock,
            backlog=self._backlog,
            ssl=self._ssl_context,
            ssl_handshake_timeout=HANDSHAKE_S if self._ssl_context else None,
            ssl_shutdown_timeout=GOODBYE_S if self._ssl_context else None,
        )


def _leaf(path: Path) -> x509.Certificate:
    data = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)[0]
    except ValueError:
        raise CertificateProblem(f"{path}: holds no certificate in PEM") from None


def _private_key(path: Path) -> PrivateKeyTypes:
    data = _read(path)
    try:
        return load_pem_private_key(data, None)
    except TypeError:
        raise CertificateProblem(f"{path}: is encrypted, and nobody is there to give its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem(f"{path}: holds no private key in PEM") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateProblem(f"{path}: cannot be read: {error.strerror}") from None


def _warning(path: Path, leaf: x509.Certificate) -> str | None:
    now = datetime.now(UTC)
    if leaf.not_valid_after_utc < now:
        return f"{path}: expired at {leaf.not_valid_after_utc.isoformat()}"
    if leaf.not_valid_before_utc > now:
        return f"{path}: is not valid before {leaf.not_valid_before_utc.isoformat()}"
    return None
