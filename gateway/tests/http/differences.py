"""Where nginx does otherwise than Sunbeon, and why Sunbeon does as it does.

`python -m gateway.tests.http.differences` writes the table of docs/http.md anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The one these were found with, Debian 12's. Others differ elsewhere: the later ones pass 103 on, for instance.
VERSION: Final = "1.22"


@dataclass(frozen=True, slots=True)
class Difference:
    """nginx: what it does. why: Sunbeon's reason not to. cases: keys of the table."""

    nginx: str
    why: str
    cases: tuple[str, ...]


def _all(theme: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{theme}: {name}" for name in names)


DIFFERENCES: Final = (
    Difference(
        "sends a chunked body that came in one packet with its head as one with a length",
        "what a backend gets does not depend on how packets were cut",
        (
            *_all(
                "requests",
                "a chunked body stays chunked",
                "a chunked body of no chunks",
                "a coding's name in capitals is the same coding",
                "chunk sizes in small and capital hex and with leading zeros",
                "chunk extensions are dropped",
                "trailers are dropped",
                "a trailer cannot say Content-Length: it is dropped or refused",
                "a trailer cannot say Transfer-Encoding: it is dropped or refused",
                "a trailer cannot say Host: it is dropped or refused",
                "a trailer cannot say Cookie: it is dropped or refused",
                "a GET with a chunked body",
            ),
            *_all("smuggling", "a head: spaces around a coding are white space"),
        ),
    ),
    Difference(
        "answers `Expect: 100-continue` itself and does not forward it",
        "the backend can refuse a body before it is sent: that is what the header is for",
        _all(
            "requests",
            "a body that waits for 100 gets the backend's",
            "a body that waits for 100 in chunks gets it",
            "a body that waits for 100 gets it with the headers it has",
            "a body that waits for 100 gets it after hints",
            "a final answer instead of 100: no body is asked for, and none can be mistaken for a request",
            "a body sent without waiting goes through, whether 100 comes or not",
            "an expectation nobody knows is the backend's to refuse, or refused",
        ),
    ),
    Difference(
        "takes an interim answer (1xx) for the final one, and the final one for its body",
        "RFC 9110 15.2: a proxy forwards interim answers, but not to HTTP/1.0 clients",
        (
            *_all(
                "requests",
                "a 100 of the backend's goes to an HTTP/1.0 client not even where it expects one",
                "hints come before the answer",
                "processing comes before the answer",
                "several interim answers come in order",
                "an interim answer nobody knows comes through",
                "an interim answer comes when it is sent, not with the final one",
                "an HTTP/1.0 client gets no interim answers",
            ),
            *_all("upgrades", "hints before the switch"),
        ),
    ),
    Difference(
        "reads on when it has refused a body and said that the connection ends",
        "nothing that follows can be wanted; what is under way is read for a moment, so that the answer arrives",
        _all("requests", "a body whose stated length is over the limit is refused before any of it is sent"),
    ),
    Difference(
        "forwards any method of capital letters",
        "the parser knows the registered ones; an unknown one is 501",
        _all("requests", "a method nobody knows is not implemented"),
    ),
    Difference(
        "speaks HTTP/0.9",
        "nobody does; it has neither hosts nor statuses",
        _all("requests", "no version"),
    ),
    Difference(
        "says 400 for CONNECT, and for headers that are too large",
        "405 and 431 say what is wrong",
        (
            *_all("requests", "CONNECT is not allowed"),
            *_all("headers", "a header of 100,000 bytes", "ten thousand headers"),
        ),
    ),
    Difference(
        "does not know Max-Forwards",
        "RFC 9110 7.6.2: whoever forwards OPTIONS must",
        _all(
            "requests",
            "OPTIONS for no farther than here is answered here",
            "OPTIONS that may go on goes on with one step less",
        ),
    ),
    Difference(
        "refuses `*` and paths that climb above the root",
        "`OPTIONS *` asks the server as a whole; a path is the backend's to read, and is matched in every reading",
        _all("targets", "OPTIONS *", "as it is: dots above the root"),
    ),
    Difference(
        "takes fragments, other schemes, two spaces in the request line, and users in a host",
        "none of them is HTTP, and each can be read as another address",
        _all(
            "targets",
            "refused: a fragment",
            "refused: a fragment in a query",
            "refused: another scheme",
            "two spaces before the target",
            "the host: a user",
        ),
    ),
    Difference(
        "forwards the Host header beside an absolute target (as `$http_host`), and no `OPTIONS *` for a whole server",
        "RFC 9112 3.2.2: the target's host is the one that counts, with its port",
        _all(
            "targets",
            "an absolute target: its host counts",
            "an absolute target: its port counts",
            "an absolute target: a scheme in capitals",
            "an absolute target: no path",
            "an absolute target: no path, but a query",
            "an absolute target: byte for byte, too",
            "an absolute target: OPTIONS of a whole server",
        ),
    ),
    Difference(
        "forwards headers of one hop but for Connection, Keep-Alive, TE and Upgrade, and what Connection names",
        "RFC 9110 7.6.1: they are the neighbour's, and a proxy must take them out",
        (
            *_all(
                "headers",
                "Proxy-Connection of a request stays here",
                "Proxy-Connection of an answer stays there",
                "Proxy-Authorization of a request stays here",
                "Proxy-Authorization of an answer stays there",
                "Proxy-Authenticate of a request stays here",
                "Proxy-Authenticate of an answer stays there",
                "TE of an answer stays there",
                "Trailer of a request stays here",
                "Trailer of an answer stays there",
                "Upgrade of an answer stays there",
                "what Connection names in a request stays here",
                "what Connection names in an answer stays there",
            ),
            *_all("requests", "close is found among other options and in any capitals"),
            *_all("answers", "trailers are dropped"),
            *_all("upgrades", "a handshake for HTTP/2 is carried as HTTP/1.1"),
        ),
    ),
    Difference(
        "drops header lines it cannot read, and some that it should, and carries on",
        "what one server drops another may read: refused; and every name RFC 9110 allows is forwarded",
        _all(
            "headers",
            "every mark a name may have, in a request",
            "no colon, in a request",
            "a byte of no token in a name, in a request",
            "a bracket in a name, in a request",
        ),
    ),
    Difference(
        "forwards control characters in headers",
        "RFC 9110 5.5: they are invalid and dangerous",
        _all(
            "headers",
            *(
                f"{what}, in {where}"
                for what in ("a control character", "DEL", "an escape character")
                for where in ("a request", "an answer")
            ),
        ),
    ),
    Difference(
        "passes on answers whose headers or status lines are none, as far as it can read them",
        "half understood is misunderstood: 502",
        (
            *_all(
                "headers",
                "no colon, in an answer",
                "a byte of no token in a name, in an answer",
                "a bracket in a name, in an answer",
            ),
            *_all(
                "answers",
                "no answer: no HTTP",
                "no answer: a status of letters",
                "no answer: a status of two digits",
                "no answer: a status of four digits",
                "no answer: a status of 0",
                "no answer: HTTP/2.0",
                "no answer: a version of nonsense",
                "no answer: a NUL in its reason",
                "no reason and no space for it",
            ),
        ),
    ),
    Difference(
        "passes on answers with two framings or one it does not know, and may use their connection again",
        "RFC 9112 6.3: nobody knows where such an answer ends; the next visitor would get the rest of it",
        _all(
            "answers",
            "the same length twice in a line is refused, or said once",
            "no answer: a length and chunks",
            "no answer: chunks and a length",
            "no answer: two lengths",
            "no answer: two lengths in a line",
            "no answer: a signed length",
            "no answer: a negative length",
            "no answer: a length in hex",
            "no answer: an empty length",
            "no answer: a length beyond counting",
            "no answer: gzip, chunked",
            "no answer: gzip",
            "no answer: chunked twice",
            "no answer: a coding almost chunked",
            "a body behind the head that HEAD asked for is not the next answer",
        ),
    ),
    Difference(
        "ends half an answer to an HTTP/1.0 client as it ends a whole one",
        "the connection is torn down: the client has no other sign",
        _all("answers", "half an answer to an HTTP/1.0 client is no whole one, though its end is the connection's"),
    ),
    Difference(
        "takes bare LF for a line end, and CR CR LF",
        "RFC 9112 2.2 allows the former; servers that disagree about it are how requests are smuggled",
        (
            *_all(
                "smuggling",
                "a head: bare LF behind a line",
                "a head: bare LF everywhere",
                "a head: bare LF behind the request line",
                "a head: bare LF at its end",
                "a head: two CR",
                "a body: bare LF behind a chunk size",
                "a body: bare LF in a chunk extension",
                "a body: a chunk shorter than its size",
                "a body: bare LF behind a chunk",
                "a body: bare LF behind the last chunk",
                "a body: bare LF at the end",
            ),
        ),
    ),
    Difference(
        "does not read what it drops: chunk extensions, trailers",
        "a body whose framing is not HTTP's may end elsewhere for somebody else; and what is dropped is bounded, too",
        _all(
            "smuggling",
            "a body: a space behind a chunk size",
            "a body: NUL in a chunk extension",
            "a body: a last chunk without its line end",
            "a body: a trailer without a colon",
            "a body: a trailer with a space before its colon",
            "a body: NUL in a trailer",
            "a body: trailers of 200,000 bytes",
            "a body: a chunk extension of 200,000 bytes",
        ),
    ),
    Difference(
        "forwards an upgrade whatever the method, the version, Connection or the key say",
        "RFC 9110 7.8 and RFC 6455 4.1: that is no handshake; it goes on as a plain request",
        _all(
            "upgrades",
            "an Upgrade the connection does not name is none",
            "a handshake without a key is none",
            "a handshake with two keys is none",
            "a handshake by POST is none",
            "a handshake of an HTTP/1.0 client is none",
        ),
    ),
    Difference(
        "switches to whatever a 101 says, asked for or not",
        "a backend's fault must not open a tunnel to it",
        (
            *_all("answers", "no answer: a switch nobody asked for", "no answer: a body a 101 cannot have"),
            *_all("upgrades", "a 101 that does not say to what is none", "a 101 to something else is none"),
        ),
    ),
)

RECORDED: Final = {case: each for each in DIFFERENCES for case in each.cases}

DOC: Final = Path(__file__).parents[3] / "docs/http.md"
BEGIN: Final = "<!-- differences: written by gateway/tests/http/differences.py -->\n"
END: Final = "<!-- end of differences -->\n"


def render() -> str:
    """The table."""
    rows = [f"| {each.nginx} | {each.why} | {len(each.cases)} |" for each in DIFFERENCES]
    return "\n".join(["| nginx | Sunbeon does not, because | cases |", "|---|---|---|", *rows]) + "\n"


def rewritten(text: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + render() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    DOC.write_text(rewritten(DOC.read_text()))
