"""What a cheat would make up: tickets, passes and proofs that nobody signed, and spellings of an address."""

import base64
from typing import Final

import orjson

from gateway.drill.exchange import Fields
from shared.wire import PASS_HEADER, TICKET_HEADER


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_CLAIMS: Final = _b64(
    b'{"iss":"sunbeon","jti":"x","how":"exempt","epoch":1,"num":1,"place":1,"iat":1,"exp":9999999999}'
)
# A proof without a signature, as one who has read the documentation would write it; and one with a guessed key.
UNSIGNED_PROOF: Final = ".".join((_b64(b'{"alg":"none","typ":"JWT","kid":"1"}'), _CLAIMS, ""))
MADE_UP_PROOF: Final = ".".join((_b64(b'{"alg":"HS256","typ":"JWT","kid":"1"}'), _CLAIMS, _b64(bytes(32))))


def made_up(kind: str) -> str:
    """A token of the right form, for number 1, whose tag nobody made."""
    fields = {"ticket": b"[1,1,1]", "pass": b'[1,1,1,"x","line",1]', "knock": b"[1,9999999999999]"}[kind]
    return f"{kind}.00000000.{_b64(fields)}.{'A' * 24}"


def altered(token: str) -> dict[str, str]:
    """A good token with each of its parts changed."""
    kind, kid, payload, tag = token.split(".")
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    spaced = _b64(text.replace(b",", b", ", 1))
    fields = orjson.loads(text)
    fields[1] = fields[1] - 1 or 2
    other = "A" if tag[-1] != "A" else "B"
    return {
        "another number": f"{kind}.{kid}.{_b64(orjson.dumps(fields))}.{tag}",
        "its number written otherwise": f"{kind}.{kid}.{spaced}.{tag}",
        "its last letter changed": f"{kind}.{kid}.{payload}.{tag[:-1]}{other}",
        "without its signature": f"{kind}.{kid}.{payload}.",
        "signed by another key": f"{kind}.00000000.{payload}.{tag}",
        "called a pass": f"pass.{kid}.{payload}.{tag}",
    }


FALSE_HEADERS: Final[tuple[tuple[str, Fields], ...]] = (
    ("a proof without a signature", ((PASS_HEADER, UNSIGNED_PROOF),)),
    ("a proof with a made-up signature", ((PASS_HEADER, MADE_UP_PROOF),)),
    ("a proof under another spelling", ((PASS_HEADER.upper(), UNSIGNED_PROOF), ("Sunbeon_Pass", UNSIGNED_PROOF))),
    ("a ticket that is none", ((TICKET_HEADER, made_up("ticket")),)),
    ("the gate's own words", (("Sunbeon-Gate", "inside"), ("Sunbeon-Command", "complete"), ("Sunbeon-How", "exempt"))),
    ("an address of the house", (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"))),
    ("an address of the house, RFC 7239", (("Forwarded", "for=127.0.0.1;proto=https"), ("True-Client-IP", "::1"))),
    ("another address to rewrite to", (("X-Original-URL", "/_sunbeon/jwks.json"), ("X-Rewrite-URL", "/"))),
    ("another method", (("X-HTTP-Method-Override", "OPTIONS"), ("X-Method-Override", "OPTIONS"))),
    ("another host", (("X-Forwarded-Host", "localhost"), ("X-Host", "localhost"))),
    ("headers named hop by hop", (("Connection", "close, Cookie, Sunbeon-Pass, Host"),)),
    ("a user agent of the house", (("User-Agent", "sunbeon-healthcheck kube-probe/1.0"),)),
)


def spellings(path: str) -> tuple[tuple[str, str], ...]:
    """Other spellings of a path that a careless gate takes for another page and a backend for the same."""
    rest = path.lstrip("/")
    first = f"%{ord(rest[0]):02x}{rest[1:]}" if rest else "%2e/"
    return (
        ("capitals", path.upper() if rest else "/?"),
        ("a letter escaped", f"/{first}"),
        ("a letter escaped twice", f"/{first.replace('%', '%25', 1)}"),
        ("a dot segment", f"/.{path}"),
        ("an escaped dot segment", f"/%2e{path}"),
        ("two dots", f"/x/..{path}"),
        ("two escaped dots", f"/x/%2e%2e{path}"),
        ("an escaped slash", f"/%2f{rest}"),
        ("a slash too many", f"/{path}"),
        ("a slash at the end", f"{path}/"),
        ("parameters", f"{path};x=1"),
        ("parameters before it", f"/;x{path}"),
        ("a backslash", f"/\\{rest}"),
        ("an escaped backslash", f"/%5c{rest}"),
        ("an escape of four digits", f"/%u00{ord((rest or '.')[0]):02x}{rest[1:]}"),
        ("an escaped end", f"{path}%00"),
        ("a dot at the end", f"{path}." if rest else "/..."),
        ("from the gate's own pages", f"/_sunbeon/..{path}"),
        ("from the gate's own pages, escaped", f"/_sunbeon/%2e%2e{path}"),
        ("from a page that may be exempt", f"/static/..{path}"),
        ("an address in its query", f"{path}?/_sunbeon/jwks.json"),
    )


def overlong(path: str) -> tuple[tuple[str, str], ...]:
    """Slashes and dots as bytes that are no UTF-8; a gate need not read them so, if the backend does not either."""
    return (("an overlong slash", f"/%c0%af{path.lstrip('/')}"), ("overlong dots", f"/x/%c0%ae%c0%ae{path}"))
