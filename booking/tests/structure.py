"""What every page must have, whatever it says: found by reading its HTML as a browser would."""

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Final
from urllib.parse import urljoin, urlsplit

FIELDS: Final = ("input", "select", "textarea")
# What a browser may fill in (HTML, 4.10.18.7), of those that our forms ask for; in a section of its own for others.
_WHAT: Final = {"name", "bday", "tel"}
AUTOCOMPLETE: Final = {"off", *_WHAT, *(f"section-person {each}" for each in _WHAT)}
# Any page of ours; where its links lead is seen from here.
_HERE: Final = "http://booking.example/booking?page="
_VOID: Final = {"meta", "link", "input", "br", "path", "circle", "hr", "img"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    parents: tuple["Element", ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """elements: in the order of the source."""

    elements: list[Element] = field(default_factory=list)
    unclosed: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), tuple(self.unclosed))
        if len(attrs) != len(element.attributes):
            self.faults.append(f"<{tag}> has an attribute twice")
        self.elements.append(element)
        if tag not in _VOID:
            self.unclosed.append(element)

    def handle_endtag(self, tag):
        if tag in _VOID:
            return
        if not self.unclosed or self.unclosed[-1].tag != tag:
            self.faults.append(f"</{tag}> closes nothing")
            return
        self.unclosed.pop()

    def handle_data(self, data):
        for element in self.unclosed:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def with_id(self, name: str | None) -> Element | None:
        return next((element for element in self.elements if element.attributes.get("id") == name), None)


def faults_of(html: str, language: str) -> list[str]:
    """Everything wrong with a page's structure; [] is sound."""
    page = Page()
    page.feed(html)
    faults = [*page.faults, *(f"<{element.tag}> is never closed" for element in page.unclosed)]
    if page.all("html")[0].attributes.get("lang") != language:
        faults.append("the page does not say its language")
    if len(page.all("h1")) != 1:
        faults.append(f"{len(page.all('h1'))} h1")
    if not page.all("title")[0].text.strip():
        faults.append("no title")
    ids = Counter(element.attributes["id"] for element in page.elements if "id" in element.attributes)
    faults += [f"id {name} {count} times" for name, count in ids.items() if count > 1]
    for element in page.all("a"):
        if element.attributes.get("hreflang") != element.attributes.get("lang"):
            faults.append(f"{element.text!r} is in another language and does not say so")
    return faults + _headings(page) + _fields(page) + _names(page) + _references(page) + _order(page) + _addresses(page)


def _headings(page: Page) -> list[str]:
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    # An error summary may stand before the first; after that no level is skipped.
    after = levels[levels.index(1) :] if 1 in levels else levels
    return [f"h{high} follows h{low}" for low, high in pairwise(after) if high > low + 1]


def _fields(page: Page) -> list[str]:
    faults = []
    labels = {element.attributes.get("for"): element for element in page.all("label")}
    for each in page.all(*FIELDS):
        kind, name = each.attributes.get("type", "text"), each.attributes.get("name")
        if kind == "hidden":
            continue
        label = labels.get(each.attributes.get("id"))
        if label is None or not label.text.strip():
            faults.append(f"field {name} has no label")
        if kind not in {"radio", "checkbox"} and each.attributes.get("autocomplete") not in AUTOCOMPLETE:
            faults.append(f"field {name} does not say what a browser may fill in")
        if kind == "radio" and not any(parent.tag == "fieldset" for parent in each.parents):
            faults.append(f"the choice {name} has no group")
    legends = [element.parents[-1] for element in page.all("legend")]
    return faults + ["a group of fields has no legend" for group in page.all("fieldset") if group not in legends]


def _names(page: Page) -> list[str]:
    nameless = [
        element.tag
        for element in page.all("a", "button", "nav", "section")
        if not (element.text.strip() or element.attributes.get("aria-label"))
    ]
    sections = [
        element
        for element in page.all("section", "nav")
        if not element.attributes.keys() & {"aria-label", "aria-labelledby"}
    ]
    return [f"<{tag}> says nothing" for tag in nameless] + [f"<{element.tag}> has no name" for element in sections]


def _references(page: Page) -> list[str]:
    faults = []
    for element in page.elements:
        for attribute in ("aria-describedby", "aria-labelledby", "for"):
            names = (element.attributes.get(attribute) or "").split()
            faults += [f"{attribute} names {name}, which is not there" for name in names if page.with_id(name) is None]
        target = element.attributes.get("href") or ""
        if target.startswith("#") and page.with_id(target[1:]) is None:
            faults.append(f"a link leads to {target}, which is not there")
    return faults


def _order(page: Page) -> list[str]:
    """Tabbing goes through a page as it is read: nobody may jump the queue."""
    return [
        f"<{element.tag}> changes the order of tabbing"
        for element in page.elements
        if int(element.attributes.get("tabindex") or 0) > 0
    ]


def _addresses(page: Page) -> list[str]:
    """No page leads off the site, whatever its own address was."""
    leads_to = [element.attributes.get("href" if element.tag == "a" else "action") for element in page.all("a", "form")]
    return [
        f"{address} leads off the site"
        for address in leads_to
        if urlsplit(urljoin(_HERE, (address or "").replace("\\", "/"))).netloc != urlsplit(_HERE).netloc
    ]
