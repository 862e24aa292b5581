"""A browser without JavaScript: keeps cookies, follows links, fills in forms. Looks at the soundness of every page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from booking.tests.conftest import Site
from booking.tests.structure import Element, Page, faults_of

HONG = {"name": "홍길동", "birth_date": "1968. 03. 02.", "phone": "010-1234-5678"}
CHILD = {"name": "이하늘", "birth_date": "19951130", "phone": "010-2468-1357"}
MOTHER = {"for_name": "김순자", "for_birth_date": "1967-05-14", "for_phone": "010-8765-4321", "consent": "yes"}
MINJI = {"name": "Kim Minji", "birth_date": "19700228", "phone": "010-1357-2468"}
_CODE = re.compile(r"[0-9A-Z]{5}-[0-9A-Z]{5}")
# Random: now and then it has the digits of a birth date in it.
_HOLD_ID = re.compile(r"[0-9a-f]{32}")
# Whatever of these turns up in an address has got where logs and histories keep it.
PERSONAL = ("홍길동", "이하늘", "김순자", "1968", "1967", "1995", "1234", "2468", "8765")


def asked_by(action: str, sent: Mapping[str, str]) -> str:
    """The address a form asks for by GET: its fields take the place of the query (HTML, 4.10.21.3, "mutate action")."""
    return f"{action.partition('?')[0]}?{'&'.join(f'{name}={value}' for name, value in sent.items())}"


@dataclass
class Visitor:
    """One person at one browser. language: what the browser asks for."""

    site: Site
    pass_header: dict[str, str]
    language: str = "ko"
    cookies: dict[str, str] = field(default_factory=dict)
    path: str = ""
    status: int = 0
    headers: Any = None
    html: str = ""
    page: Page = field(default_factory=Page)

    async def get(self, path: str, **headers: str) -> "Visitor":
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, data: Any, **headers: str) -> "Visitor":
        return await self._ask("POST", path, data, headers)

    async def follow(self, text: str) -> "Visitor":
        """Click the link that says so."""
        links = [each for each in self.page.all("a") if text in each.text]
        assert links, f"no link {text!r} on {self.path}: {[each.text for each in self.page.all('a')]}"
        return await self.get(urljoin(self.path, links[0].attributes["href"] or ""))

    async def press(self, text: str, **typed: str) -> "Visitor":
        """Type into the fields of a button's form, and press it."""
        buttons = [each for each in self.page.all("button") if text in each.text]
        assert buttons, f"no button {text!r} on {self.path}: {[each.text for each in self.page.all('button')]}"
        form = next(parent for parent in buttons[0].parents if parent.tag == "form")
        fields = self.fields(form)
        assert typed.keys() <= fields.keys(), f"no such field in {sorted(fields)}"
        sent = {name: value for name, value in (fields | typed).items() if value is not None}
        action = form.attributes.get("action") or self.path
        if form.attributes.get("method") == "post":
            return await self.post(action, sent)
        return await self.get(asked_by(action, sent))

    def fields(self, form: Element | None = None) -> dict[str, str | None]:
        """Names and values of the fields, as a browser would send them; None: not ticked."""
        values: dict[str, str | None] = {}
        for each in self.page.all("input"):
            name = each.attributes.get("name")
            if name is None or (form is not None and form not in each.parents):
                continue
            if each.attributes.get("type") in {"radio", "checkbox"} and "checked" not in each.attributes:
                values.setdefault(name, None)
            else:
                values[name] = each.attributes.get("value") or ""
        return values

    @property
    def heading(self) -> str:
        return self.page.all("h1")[0].text

    @property
    def text(self) -> str:
        """What the page says, in one line."""
        return " ".join(self.page.all("main")[0].text.split())

    @property
    def code(self) -> str:
        """The booking code the page shows."""
        found = _CODE.search(self.text)
        assert found, self.text
        return found[0]

    async def _ask(self, method: str, path: str, data: Any, headers: dict[str, str]) -> "Visitor":
        told = _HOLD_ID.sub("", path)
        assert not any(word in told for word in PERSONAL), f"personal data in the address {path}"
        sent = {"Accept": "text/html", "Accept-Language": self.language} | self.pass_header
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.status, self.headers, self.html = await self.site.request(
            method, path, data=data, headers=sent | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        self.path = path
        for line in self.headers.getall("Set-Cookie", ()):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if not self.cookies[name]:
                del self.cookies[name]
        if self.status == 303:
            return await self.get(self.headers["Location"])
        self.page = Page()
        self.page.feed(self.html)
        shown = "en" if "lang=en" in path or ("lang=ko" not in path and self.language == "en") else "ko"
        assert faults_of(self.html, shown) == [], f"{method} {path}"
        return self
