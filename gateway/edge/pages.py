"""Every page the gate itself shows: the waiting page and the notices.

Pure rendering: facts in, bytes out; no clock, no network. A page is one self-contained answer, nothing in it asks
another address. The security policy that goes with it names the very script and style in it by their hashes, so that
whatever else found its way into a page (an operator's message, a room's title, a template) cannot run.
"""

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    Undefined,
)
from markupsafe import Markup

from gateway.edge import reader
from gateway.edge.blanks import data_blank, word_blank
from gateway.edge.opening import (
    BEFORE_OPENING,
    after_closing_words,
    closes_soon_ms,
    draw_address,
    moment,
    own_opening_ms,
    own_words,
    postponed_words,
    time_words,
)
from gateway.edge.reader import is_hopeless, reader_words
from gateway.edge.splice import Splicer
from gateway.edge.strings import SCRIPT_WORDS, STRINGS

_HERE: Final = Path(__file__).parent
_LOG: Final = logging.getLogger(__name__)

# Without a script a page cannot know the reader's zone, so it names one: the room's, or this. Korea has had no other
# since 1988.
KST: Final = timezone(timedelta(hours=9), "KST")

# Of the waiting page's words, its reader's own.
OWN_WORDS: Final = (*reader.WORDS, "refresh_s")

# A room's own rules, put after our style sheet.
ROOM_STYLE: Final = "room.css"

NOTICE_KINDS: Final = (
    "early", "closed", "sold_out", "full", "forged", "old_epoch", "left", "unavailable", "turn_kept", "bad_gateway",
    "gateway_timeout", "bad_request", "too_large", "too_slow", "not_found", "misdirected", "too_many", "completed",
    "unserved", "hasty",
)  # fmt: skip
WAITING_NOTICES: Final = ("used", "ended", "unsent")

# What `check` tries a room's templates on.
SAMPLE_STATUS: Final[Mapping[str, Any]] = {
    "number": 1_234_567,
    "place": 1_234_567,
    "ahead": 123_456,
    "draw": None,
    "draw_size": None,
    "wave": None,
    "eta_ms": [720_000, 1_080_000],
    "poll_after_ms": 120_000,
    "server_time_ms": 1_626_692_400_000,
    "as_of_ms": 1_626_692_400_000,
    "catching_up": False,
    "opens_at_ms": 1_626_699_600_000,
    "postponed_from_ms": None,
    "closes_at_ms": None,
    "finishing_ms": None,
    "eligibility": None,
    "outflow_per_minute": 1_000,
    "settings_version": 1,
    "stock": {"left": 1_200, "chance_gone_percent": 85},
    "message": None,
    "ticket": None,
}
SAMPLE_STATES: Final = (
    ("waiting", "open"), ("waiting", "early"), ("waiting", "prequeue"), ("waiting", "paused"), ("waiting", "closed"),
    ("waiting", "sold_out"), ("called", "open"), ("at_door", "open"),
)  # fmt: skip

# These give up the ticket the browser holds before joining again.
_JOIN_AGAIN: Final = frozenset({"forged", "old_epoch"})
# Least and most seconds until these ask again by themselves: spread, or everyone would come back in the same second.
_ASKS_AGAIN: Final[Mapping[str, tuple[int, int]]] = {
    "unavailable": (8, 15),
    "turn_kept": (8, 15),
    "bad_gateway": (10, 20),
    "gateway_timeout": (20, 40),
    "unserved": (10, 20),
    "hasty": (10, 15),
}


@dataclass(frozen=True, slots=True)
class WaitView:
    """What the waiting page shows.

    title: the room's title by language; may be empty.
    status: a whole status answer (`shared.wire.STATUS_FIELDS`), `message` already in the page's language.
    refresh_s: how often the page asks again where no script runs.
    notice: one of `WAITING_NOTICES`, shown above everything else.
    window: the visitor's own window, in words; "" where there is none. window_url: where to say another birth date.
    window_why: that it was moved, or rests, and why. window_closes: its end, in words.
    zone: in which times are written until the script writes them in the reader's own.
    """

    room: str
    title: Mapping[str, str]
    status: Mapping[str, Any]
    status_url: str
    leave_url: str
    refresh_s: int
    notice: str | None = None
    window: str = ""
    window_why: str = ""
    window_closes: str = ""
    window_url: str = ""
    zone: tzinfo = KST


@dataclass(frozen=True)
class Page:
    """A page and what must be sent with it: `csp` as Content-Security-Policy, `language` as Content-Language."""

    body: bytes
    csp: str
    language: str
    splicer: Splicer

    @cached_property
    def gzip(self) -> bytes:
        """The body compressed, made when first asked for."""
        return self.splicer.gzip(self.body)


class Pages:
    """Renders every page, with a room's own templates where it has any."""

    def __init__(self, templates_dir: Path | None = None) -> None:
        """Load templates, style and script.

        templates_dir: a file in it replaces ours of the same name; `room.css` in it follows our style sheet. Our own
        stay reachable as "sunbeon/...", to be extended. A template that fails while rendering is replaced by ours
        for that page (those who wait must see something); `check` says beforehand what is wrong.
        """
        self.templates_dir = templates_dir
        style = _squeezed(_HERE / "static/page.css")
        if templates_dir is not None and (templates_dir / ROOM_STYLE).is_file():
            style += (templates_dir / ROOM_STYLE).read_text("utf-8", "replace")
        # A style sheet is the operator's, but must not be able to end its own element.
        self.style = style.replace("</", "<\\/")
        self.script = _squeezed(_HERE / "static/waiting.js")
        self._waiting_csp = _policy(self.style, self.script)
        self._notice_csp = _policy(self.style, None)
        self._words = {
            language: json_of({key: words[key] for key in SCRIPT_WORDS}) for language, words in STRINGS.items()
        }
        self._splicers = {
            # Together where our own template has them, which takes less than apart, where a room's has its own way.
            language: Splicer([self.style, f"{words}}}</script>\n<script>{self.script}", words, self.script])
            for language, words in self._words.items()
        }
        self._ours = _environment(None, Undefined)
        self._rooms = _environment(templates_dir, Undefined) if templates_dir is not None else self._ours
        self._reported: set[str] = set()

    def waiting(self, view: WaitView, language: str) -> Page:
        """The waiting page, whole and true without a script. Raises KeyError for an unknown notice or language."""
        values = self._waiting_values(view, language)
        return Page(self._render("waiting.html", values), self._waiting_csp, language, self._splicers[language])

    def waiting_form(self, view: WaitView, language: str, *, data: Iterable[str], words: Iterable[str] = ()) -> Page:
        """The same with blanks (`blanks`). data: of the status. words: of `OWN_WORDS`; what is empty stays so.

        A room's own template may look at its words, and then they cannot be left blank: see `has_own_waiting`.
        """
        values = self._waiting_values(view, language)
        values |= {name: word_blank(name) for name in words if values[name]}
        values["data"] = self._data(view, {**view.status, **{name: data_blank(name) for name in data}}, language)
        return Page(self._render("waiting.html", values), self._waiting_csp, language, self._splicers[language])

    @cached_property
    def has_own_waiting(self) -> bool:
        """Whether the room's templates have a say in the waiting page."""
        return self.templates_dir is not None and any(
            (self.templates_dir / name).exists() for name in ("waiting.html", "base.html")
        )

    def notice(
        self,
        kind: str,
        language: str,
        *,
        room: str | None = None,
        title: Mapping[str, str] | None = None,
        retry_url: str | None = None,
        leave_url: str | None = None,
        request_id: str | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> Page:
        """A page that says one thing: what happened, why, and what to do now.

        kind: one of `NOTICE_KINDS`; another raises KeyError. detail: the operator's own words, by language.
        retry_url, leave_url: paths here, where the button leads; without them, or with an address that a browser
        could take for another site ("//other.example"), there is no button.
        """
        values = self._notice_values(
            kind,
            language,
            room=room,
            title=title or {},
            retry_url=_local(retry_url),
            leave_url=_local(leave_url),
            request_id=request_id or "",
            detail=detail or {},
        )
        return Page(self._render("notice.html", values), self._notice_csp, language, self._splicers[language])

    def splicer(self, language: str) -> Splicer:
        """What compresses pages of a language."""
        return self._splicers[language]

    def special(self, template: str, values: Mapping[str, Any], title: Mapping[str, str], language: str) -> Page:
        """A page of another kind, without a script. values: what its template is given beside what every page has."""
        body = self._render(template, self.framed(values, title, language))
        return Page(body, self._notice_csp, language, self._splicers[language])

    def check(self) -> list[str]:
        """What is wrong with the room's own templates, a line each; empty when nothing is."""
        from gateway.edge.page_check import check_templates

        return [] if self.templates_dir is None else check_templates(self, self.templates_dir)

    def strict_environment(self) -> Environment:
        """The room's templates with every unknown variable an error, for `check`."""
        return _environment(self.templates_dir, StrictUndefined)

    def samples(self, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Template names with values to try them on, for `check`: every face of the waiting page, every notice."""
        for state, room in SAMPLE_STATES:
            status = {**SAMPLE_STATUS, "state": state, "room_state": room}
            view = WaitView("sample", {}, status, "/_sunbeon/sample/status", "/_sunbeon/sample/leave", 20)
            yield "waiting.html", self._waiting_values(view, language)
        for kind in NOTICE_KINDS:
            yield (
                "notice.html",
                self._notice_values(
                    kind,
                    language,
                    room="sample",
                    title={},
                    retry_url="/sample",
                    leave_url="/_sunbeon/sample/leave",
                    request_id="sample",
                    detail={},
                ),
            )

    def _notice_values(
        self,
        kind: str,
        language: str,
        *,
        room: str | None,
        title: Mapping[str, str],
        retry_url: str,
        leave_url: str,
        request_id: str,
        detail: Mapping[str, str],
    ) -> dict[str, Any]:
        """What `notice.html` is given; the template's first lines say what each means."""
        t = STRINGS[language]
        values = {
            "room": room,
            "kind": kind,
            "heading": t[f"{kind}_title"],
            "reason": t[f"{kind}_reason"],
            "advice": t[f"{kind}_do"],
            "button": t[f"{kind}_button"],
            "detail": in_language(detail, language),
            "join_url": leave_url if kind in _JOIN_AGAIN else "",
            "retry_url": retry_url,
            "refresh_s": _asks_again_s(kind, request_id),
            "request_id": request_id,
        }
        return self.framed(values, title, language)

    def _waiting_values(self, view: WaitView, language: str) -> dict[str, Any]:
        """What `waiting.html` is given; the template's first lines say what each means."""
        t = STRINGS[language]
        status = view.status
        phase = phase_of(status)
        away = "" if not status["catching_up"] else phase if phase in {"number", "turn"} else "place"
        checked = moment(status["as_of_ms"], view.zone)
        opens_ms = opening_of(status, phase)
        opens = None if opens_ms is None else moment(opens_ms, view.zone)
        closes_ms = closes_soon_ms(status, phase)
        faces = {**t, **own_words(status, t)}
        late = (status["eligibility"] or {}).get("late")
        values = {
            "room": view.room,
            "phase": phase,
            "heading": faces[f"head_{phase}"],
            # "This takes a moment" is not true then; nor is "people go in by turn" of whom no turn will come.
            "lead": "" if away in {"number", "turn"} or is_hopeless(status) else faces[f"lead_{phase}"],
            "late": late or "",
            "late_words": {each: t[f"late_{each}"].format(closes=view.window_closes) for each in ("certain", "maybe")},
            **reader_words(status, phase, view.zone, t),
            "opens": "" if opens is None else f"{opens:%Y-%m-%d %H:%M %Z}",
            "opens_iso": "" if opens is None else opens.isoformat(timespec="seconds"),
            "postponed": postponed_words(status, view.zone, t),
            "after_closing": after_closing_words(status, phase, t),
            "draw_url": draw_address(view.room, status),
            "closes": "" if closes_ms is None else time_words(closes_ms, status["server_time_ms"], view.zone),
            "window": view.window,
            "window_why": view.window_why,
            "window_url": view.window_url,
            "message": status["message"] or "",
            "notice": t[f"notice_{view.notice}"] if view.notice is not None else "",
            "away": t[f"away_{away}"] if away else "",
            "checked": f"{checked:%H:%M:%S %Z}",
            "checked_iso": checked.isoformat(timespec="seconds"),
            "leave_url": view.leave_url,
            "refresh_s": view.refresh_s,
            "data": self._data(view, status, language),
            "script": Markup(self.script),  # noqa: S704 - our own file
        }
        return self.framed(values, view.title, language)

    def _data(self, view: WaitView, status: Mapping[str, Any], language: str) -> Markup:
        """What the script starts with."""
        data = {"status": {**status}, "status_url": view.status_url, "room": view.room}
        own = own_words(status, STRINGS[language])
        if own:
            data["own"] = own
        return Markup(f'{json_of(data)[:-1]}, "words": {self._words[language]}}}')  # noqa: S704 - `json_of` escapes

    def framed(self, values: Mapping[str, Any], title: Mapping[str, str], language: str) -> dict[str, Any]:
        """Add what every page has."""
        return {**values} | {
            "t": STRINGS[language],
            "language": language,
            "title": in_language(title, language),
            "style": Markup(self.style),  # noqa: S704 - ours and the operator's, and `</` cannot occur in it
        }

    def _render(self, name: str, values: Mapping[str, Any]) -> bytes:
        if self._rooms is not self._ours:
            try:
                return self._rooms.get_template(name).render(values).encode()
            except Exception:  # noqa: BLE001 - an expression in a template can raise anything
                if name not in self._reported:
                    self._reported.add(name)
                    _LOG.exception("The room's own %s in %s does not work; ours is shown.", name, self.templates_dir)
        # A lone surrogate in somebody's text must not cost anyone the page.
        return self._ours.get_template(name).render(values).encode("utf-8", "replace")


def phase_of(status: Mapping[str, Any]) -> str:
    """Which of the waiting page's faces fits a status answer. The script has the same rule (`phaseOf`)."""
    match status["state"], status["room_state"]:
        case _, ("closed" | "sold_out") as closed:
            return str(closed)
        case (("called" | "inside"), _):
            return "turn"
        case "at_door", _:
            return "door"
        case _ if own_opening_ms(status["eligibility"], status["room_state"], status["opens_at_ms"]) is not None:
            return "window"
        case _, ("early" | "prequeue") as before:
            return str(before)
    if status["number"] is None:
        return "number"
    return "paused" if status["room_state"] == "paused" else "waiting"


def opening_of(status: Mapping[str, Any], phase: str) -> int | None:
    """The moment that the page counts down to: the reader's own window's opening, or the room's."""
    if phase == "window":
        return own_opening_ms(status["eligibility"], status["room_state"], status["opens_at_ms"])
    return status["opens_at_ms"] if phase in BEFORE_OPENING else None


def early_words(joins_ms: int | None, opens_ms: int | None, zone: tzinfo = KST) -> dict[str, str]:
    """From when one can line up, by language; empty where that is not known."""
    if joins_ms is None or opens_ms is None:
        return {}
    told = {
        name: f"{moment(at_ms, zone):%Y-%m-%d %H:%M %Z}" for name, at_ms in (("joins", joins_ms), ("opens", opens_ms))
    }
    return {language: t["early_from"].format(**told) for language, t in STRINGS.items()}


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, else in whichever there is, else an empty one."""
    return texts.get(language) or next((text for text in texts.values() if text), "")


def _local(url: str | None) -> str:
    """The address if it is a path on this site to every browser (they read a backslash as a slash, and skip tabs)."""
    return url if url is not None and re.fullmatch(r"/(?![/\\])[^\s\x00-\x1f]*", url) else ""


def _asks_again_s(kind: str, request_id: str) -> int:
    """Seconds until a notice asks again by itself, spread by its request; 0 for never."""
    if kind not in _ASKS_AGAIN:
        return 0
    low, high = _ASKS_AGAIN[kind]
    return low + crc32(request_id.encode("utf-8", "replace")) % (high - low + 1)


# Inside <script> only these can end the element or open a comment; in JSON they mean the same when escaped.
_UNSAFE_IN_SCRIPT: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def json_of(value: Any) -> str:
    """JSON that is safe inside <script>."""
    return json.dumps(value, ensure_ascii=False).translate(_UNSAFE_IN_SCRIPT)


def _policy(style: str, script: str | None) -> str:
    """The Content-Security-Policy under which exactly this style and this script work."""
    parts = [
        "default-src 'none'",
        *([f"script-src '{_digest(script)}'", "connect-src 'self'"] if script is not None else []),
        f"style-src '{_digest(style)}'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    return "; ".join(parts)


def _digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _squeezed(path: Path) -> str:
    """One of our own files without indentation and whole-line comments: those stay in the source."""
    text = path.read_text("utf-8")
    if path.suffix == ".css":
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _environment(templates_dir: Path | None, undefined: type[Undefined]) -> Environment:
    ours = FileSystemLoader(_HERE / "templates")
    loaders: list[BaseLoader] = [ours, PrefixLoader({"sunbeon": ours})]
    if templates_dir is not None:
        loaders.insert(0, FileSystemLoader(templates_dir))
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=undefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["fill"] = lambda text, **values: text.format(**values)
    return environment
