"""Pages from templates: self-contained, so that one answer shows everything and nothing is fetched after it."""

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from yarl import URL

from booking import codes, texts
from booking.routes.ways import retry_by, ways_on
from booking.settings import Language

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
SCRIPTS: Final = ("countdown", "draft", "print")
# What a page may leave out. visit: who books for whom; forget: drafts the browser need not keep any longer.
_DEFAULTS: Final[dict[str, Any]] = {"visit": None, "forget": "", "problems": {}, "note": "", "retry": None}


class Pages:
    """Renders the templates, and knows the one content security policy they all share."""

    def __init__(self) -> None:
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        scripts = {name: (TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS}
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Our own files, written into the page as they are: the hashes below are of exactly this text.
        self._environment.globals.update(
            style=Markup(style),  # noqa: S704
            scripts={name: Markup(text) for name, text in scripts.items()},  # noqa: S704
            ways_on=ways_on,
            retry_by=retry_by,
        )
        self._environment.filters["grouped"] = codes.grouped
        # `data:` is the empty icon, which keeps browsers from asking for /favicon.ico.
        self.policy: Final = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts.values()))}; "
            "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def render(
        self,
        request: web.Request,
        language: Language,
        template: str,
        *,
        now_ms: int = 0,
        status: int = 200,
        **values: Any,
    ) -> web.Response:
        """The page in this language. Links made with `url` keep the language the visitor switched to.

        now_ms: where the page tells years from this one.
        """
        chosen = request.query.get("lang")
        keep = {"lang": language} if chosen == language else {}
        other = texts.LANGUAGES[1 - texts.LANGUAGES.index(language)]

        def say(key: str, **parts: object) -> str:
            return texts.say(key, language, **parts)

        html = self._environment.get_template(template).render(
            say=say,
            say_day=lambda moment_ms: texts.say_day(moment_ms, language),
            say_time=lambda moment_ms: texts.say_time(moment_ms, language),
            say_moment=lambda moment_ms: texts.say_moment(moment_ms, language, now_ms=now_ms),
            say_date=lambda day: texts.say_date(day, language),
            url=lambda path: str(URL(path).update_query(keep)),
            language=language,
            lang=keep.get("lang"),
            other_language=other,
            # A page that answers a form has no address of its own to be shown at in the other language. The query
            # alone, as the path may be anything: `//evil.example` would lead there.
            other_url=_query(request.rel_url.update_query(lang=other)) if request.method == "GET" else None,
            now_ms=now_ms,
            method=request.method,
            **_DEFAULTS | values,
        )
        return web.Response(text=html, status=status, content_type="text/html")


def _query(address: URL) -> str:
    return f"?{address.raw_query_string}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
