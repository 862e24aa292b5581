"""What can only be told from outside: the operators' port, and TLS."""

import asyncio
import ipaddress
import socket
import ssl
import time
import warnings
from typing import Any, Final

from gateway.drill.plan import Drill
from gateway.drill.report import Evidence, Finding, Row
from gateway.drill.wire import is_open

DAY_S: Final = 86_400
# A certificate that ends within this is to be looked after now.
RENEW_DAYS: Final = 14
TLS_PATIENCE_S: Final = 5.0
DEFAULT_OPERATOR_PORT: Final = 8081
# How a server says that it does not speak a version: by an alert, or by hanging up.
_REFUSED: Final = ("ALERT", "EOF", "ConnectionReset")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def operator_outside(drill: Drill, row: Row) -> None:
    """The operators' port must not take connections where visitors' does."""
    origin = drill.site.wire.origin
    if is_loopback(origin.host):
        row.applies = False
        row.notes.append("on loopback everything is inside")
        return
    port = drill.operator.origin.port if drill.operator is not None else DEFAULT_OPERATOR_PORT
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, port, type=socket.SOCK_STREAM)
    except OSError:
        row.not_tried.append("the host's name is not known here")
        return
    for address in sorted({str(each[4][0]) for each in found}):
        control = await is_open(address, origin.port)
        reached = await is_open(address, port)
        finding = Finding.BROKEN if reached else Finding.HELD if control else Finding.UNCLEAR
        why = (
            "it takes connections" if reached else "" if control else "the visitors' port does not answer there either"
        )
        row.evidence.append(
            Evidence(f"port {port} at {address}", "a connection", "taken" if reached else "refused", finding, why)
        )


async def tls(drill: Drill, row: Row) -> None:
    origin = drill.site.wire.origin
    if origin.scheme == "http":
        if is_loopback(origin.host):
            row.applies = False
            row.notes.append("no TLS on loopback")
        else:
            sent, came = f"http://{origin.name}", "no TLS"
            why = "tickets and passes travel where others can read them"
            row.evidence.append(Evidence("visitors come by http", sent, came, Finding.BROKEN, why))
        return
    certificate, error = await _handshake(drill, verified(drill.ca_file))
    if certificate is not None:
        days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S
        fine = days > RENEW_DAYS
        why = "" if fine else f"it ends in {days:.0f} days"
        _tell(
            row,
            "its certificate",
            f"valid until {certificate['notAfter']}",
            Finding.HELD if fine else Finding.UNCLEAR,
            why,
        )
    elif isinstance(error, ssl.SSLCertVerificationError):
        _tell(row, "its certificate", error.verify_message, Finding.BROKEN, "browsers would warn")
    else:
        _tell(row, "its certificate", _reason(error), Finding.UNCLEAR, "no TLS came about")
    for version in ("TLSv1", "TLSv1_1"):
        with warnings.catch_warnings():
            # That these versions are old is why they are tried.
            warnings.simplefilter("ignore", DeprecationWarning)
            old = unverified()
            old.set_ciphers("ALL:@SECLEVEL=0")
            old.minimum_version = old.maximum_version = ssl.TLSVersion[version]
        spoken, error = await _handshake(drill, old)
        name = version.replace("_", ".")
        if spoken is not None:
            _tell(row, name, "spoken", Finding.BROKEN, "it is broken")
        elif any(word in _reason(error) for word in _REFUSED):
            _tell(row, name, f"refused: {_reason(error)}", Finding.HELD)
        else:
            # Perhaps it is the drill's own library that cannot speak it.
            _tell(row, name, _reason(error), Finding.UNCLEAR, "it was not the server that refused")


def verified(ca_file: str | None) -> ssl.SSLContext:
    """ca_file: certificates to trust beside the system's."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def unverified() -> ssl.SSLContext:
    """For the tricks, which go on where the certificate is wrong: that has a row of its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _handshake(drill: Drill, context: ssl.SSLContext) -> tuple[dict[str, Any] | None, Exception | None]:
    """The certificate ({} if it was not verified), or why there was no connection."""
    origin = drill.site.wire.origin
    try:
        async with asyncio.timeout(TLS_PATIENCE_S):
            _, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context)
            found: dict[str, Any] = writer.get_extra_info("peercert") or {}
            writer.transport.abort()
            return found, None
    except (OSError, TimeoutError) as error:
        return None, error


def _reason(error: Exception | None) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__)


def _tell(row: Row, what: str, came: str, finding: Finding, why: str = "") -> None:
    row.evidence.append(Evidence(what, "a handshake", came, finding, why))
