"""One visitor's cookies, kept by hand: `http.cookiejar` and its kin cost more than the request."""

from collections.abc import Iterable, Mapping

from shared.wire import SECURE_PREFIX


class Jar:
    """One visitor's cookies. Names are given bare; the prefix that TLS brings is added and removed here."""

    __slots__ = ("_cookies", "_header")

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        self._cookies = dict(cookies) if cookies else {}
        self._header: str | None = None

    def take(self, lines: Iterable[str]) -> set[str]:
        """Obey `Set-Cookie` lines; the bare names of those set (not of those deleted)."""
        taken = set()
        for line in lines:
            self._header = None
            pair, _, attributes = line.partition(";")
            name, _, value = pair.strip().partition("=")
            if not value or "max-age=0" in attributes.lower().replace(" ", "").split(";"):
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = value
                taken.add(name.removeprefix(SECURE_PREFIX))
        return taken

    def get(self, name: str) -> str | None:
        return self._cookies.get(name) or self._cookies.get(SECURE_PREFIX + name)

    def with_cookie(self, name: str, value: str | None) -> "Jar":
        """A copy with one cookie more, or other, or (None) less."""
        copy = Jar(self._cookies)
        full = SECURE_PREFIX + name if SECURE_PREFIX + name in copy._cookies else name
        copy._cookies.pop(full, None)
        if value is not None:
            copy._cookies[full] = value
        return copy

    def copy(self) -> "Jar":
        return Jar(self._cookies)

    def header(self) -> str:
        if self._header is None:
            self._header = "; ".join([f"{name}={value}" for name, value in self._cookies.items()])
        return self._header
