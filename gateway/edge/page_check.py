"""What is wrong with a room's own templates, found before anybody waits in front of them."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, TemplateError, TemplateSyntaxError, meta

from gateway.edge.eligibility_page import eligibility_samples
from gateway.edge.strings import STRINGS

if TYPE_CHECKING:
    from gateway.edge.pages import Pages

# The pages a room may replace, and its own style sheet.
_PAGES: Final = ("base.html", "waiting.html", "notice.html", "eligibility.html")
_STYLE: Final = "room.css"

# A visitor on a bad line loads this before anything else; what is heavier is a mistake, such as a large embedded photo.
_HEAVIEST_BYTES: Final = 60_000

_NUMBER: Final = "1,234,567"
_LEAVE_URL: Final = "/_sunbeon/sample/leave"
_FETCHING: Final = frozenset({"src", "srcset", "poster", "data", "background"})


def check_templates(pages: "Pages", folder: Path) -> list[str]:
    """One line for each thing that is broken, missing or would be refused by a browser, with the file it is in."""
    if not folder.is_dir():
        return [f"{folder}: there is no such folder"]
    environment = pages.strict_environment()
    problems = [*_sources(environment, folder), *_style(folder)]
    if problems:
        return problems
    for language in STRINGS:
        for name, values in (*pages.samples(language), *eligibility_samples(pages, language)):
            where = f"{folder / name} ({language})"
            try:
                html = environment.get_template(name).render(values)
            except Exception as error:  # noqa: BLE001 - an expression in a template can raise anything
                problems.append(f"{where}: {_told(error)}")
                continue
            problems += [f"{where}: {problem}" for problem in _faults(name, html, values)]
    return list(dict.fromkeys(problems))


def _sources(environment: Environment, folder: Path) -> Iterator[str]:
    """Templates that cannot be parsed, and those no page would ever use."""
    used = set(_PAGES)
    files = sorted(path for path in folder.iterdir() if path.suffix in {".html", ".htm", ".j2", ".jinja"})
    for path in files:
        try:
            parsed = environment.parse(path.read_text("utf-8"))
        except TemplateSyntaxError as error:
            yield f"{path}:{error.lineno}: {error.message}"
        except (OSError, UnicodeDecodeError) as error:
            yield f"{path}: cannot be read as UTF-8 text: {error}"
        else:
            used |= {name for name in meta.find_referenced_templates(parsed) if name}
    for path in files:
        if path.name not in used:
            yield f"{path}: no page uses it; the pages are {', '.join(_PAGES)}"


def _style(folder: Path) -> Iterator[str]:
    path = folder / _STYLE
    if not path.is_file():
        return
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield f"{path}: cannot be read as UTF-8 text: {error}"
        return
    if re.search(r"@import|url\(\s*['\"]?(?!\s*['\"]?data:)", text, re.IGNORECASE):
        yield f"{path}: loads something from an address; a page loads nothing, embed it as data:"


def _told(error: Exception) -> str:
    return (error.message or str(error)) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"


def _faults(name: str, html: str, values: Mapping[str, Any]) -> Iterator[str]:
    """What a browser would refuse, and what a visitor would miss."""
    seen = _Seen(own_style=str(values["style"]), own_script=str(values.get("script", "")))
    seen.feed(html)
    seen.close()
    yield from seen.refused
    if len(html.encode("utf-8", "replace")) > _HEAVIEST_BYTES:
        yield f"is heavier than {_HEAVIEST_BYTES} bytes"
    if values["heading"] not in seen.text:
        yield "does not say {{ heading }}"
    if "ask_url" in values and values["ask_url"] not in seen.forms:
        yield "has no form that posts to {{ ask_url }}, so nobody can say a birth date"
    if name != "waiting.html":
        if values["advice"] not in seen.text:
            yield "does not say {{ advice }}, so nobody knows what to do"
        return
    if _NUMBER not in seen.text:
        yield "does not show {{ number }}"
    if _LEAVE_URL not in seen.forms:
        yield "has no form that posts to {{ leave_url }}, so nobody can leave"
    if not seen.refreshes:
        yield "has no <noscript><meta http-equiv=refresh>, so it stands still without a script"
    if not seen.script or "n-data" not in seen.ids:
        yield "lacks {{ script }} or its {{ data }}, so it does not move on by itself"


class _Seen(HTMLParser):
    """What is in a page, as far as it matters here."""

    def __init__(self, own_style: str, own_script: str) -> None:
        super().__init__()
        self.own = {"style": own_style, "script": own_script}
        self.refused: list[str] = []
        self.forms: set[str] = set()
        self.ids: set[str] = set()
        self.text = ""
        self.refreshes = False
        self.script = False
        self._raw = ""
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids.add(values.get("id", ""))
        for key, value in values.items():
            if key == "style" or key.startswith("on"):
                self.refused.append(f"<{tag} {key}=...> is refused by browsers here; use room.css or nothing")
            elif (key in _FETCHING or (tag, key) == ("link", "href")) and value and not value.startswith("data:"):
                self.refused.append(f"<{tag} {key}={value!r}> would be loaded from elsewhere; embed it as data:")
        if tag == "form" and values.get("method", "").lower() == "post":
            self.forms.add(values.get("action", ""))
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.refreshes = True
        if tag in {"style", "script"} and "json" not in values.get("type", ""):
            self._inside, self._raw = tag, ""

    def handle_endtag(self, tag: str) -> None:
        if tag != self._inside:
            return
        self._inside = None
        if self._raw == self.own[tag]:
            self.script |= tag == "script"
        else:
            self.refused.append(
                f"<{tag}> of its own is refused by browsers here; only {{{{ {tag} }}}} works, unchanged"
            )

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += data
        else:
            self._raw += data
