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
from booking.settings import Language

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


class Pages:
    """Renders the templates, and knows the one content security policy they all share."""

    def __init__(self) -> None:
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        script = (TEMPLATES / "countdown.js").read_text(encoding="utf-8")
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Our own files, written into the page as they are: the hashes below are of exactly this text.
        self._environment.globals.update(style=Markup(style), script=Markup(script))  # noqa: S704
        self._environment.filters["grouped"] = codes.grouped
        # `data:` is the empty icon, which keeps browsers from asking for /favicon.ico.
        self.policy: Final = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def render(
        self, request: web.Request, language: Language, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """The page in this language. Links made with `url` keep the language the visitor switched to."""
        chosen = request.query.get("lang")
        keep = {"lang": language} if chosen == language else {}
        other = texts.LANGUAGES[1 - texts.LANGUAGES.index(language)]

        def say(key: str, **parts: object) -> str:
            return texts.say(key, language, **parts)

        html = self._environment.get_template(template).render(
            say=say,
            say_day=lambda moment_ms: texts.say_day(moment_ms, language),
            say_time=lambda moment_ms: texts.say_time(moment_ms, language),
            url=lambda path: str(URL(path).update_query(keep)),
            language=language,
            other_language=other,
            # A page that answers a form has no address of its own to be shown at in the other language.
            other_url=str(request.rel_url.update_query(lang=other)) if request.method == "GET" else None,
            **values,
        )
        return web.Response(text=html, status=status, content_type="text/html")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
