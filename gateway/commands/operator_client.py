"""Asks the operator API from a command: one request, bounded, and a plain sentence for whatever goes wrong."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlsplit

from gateway.console.record import OPERATOR_HEADER
from shared.errors import SettingsError, SunbeonError

TIMEOUT_S: Final = 15.0
ANSWER_BYTES: Final = 4 * 1024 * 1024
# These say that what was asked cannot be; asking the same again will not help.
WRONG: Final = frozenset({400, 401, 404, 405, 415, 422, 428})
OK: Final = frozenset({200, 201, 202})
UNAUTHORISED: Final = 401


class CannotBeDone(SunbeonError):
    """The gateway is not there, or refuses as things stand; says why."""


class OperatorClient:
    """One operator API. by: who the operator says to be."""

    def __init__(self, url: str, token: str, by: str | None = None) -> None:
        """Raises `SettingsError` for an address that is none."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise SettingsError([f"--operator-url: {url}: {error}"]) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError([f"--operator-url: {url}: is no http(s) address"])
        self._url = url
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._where = parts.hostname, port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if by is not None:
            self._headers[OPERATOR_HEADER] = quote(by)

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, version: int | None = None
    ) -> dict[str, Any]:
        """The answer. version: of the settings the change builds on. Raises `CannotBeDone`, `SettingsError`."""
        headers = self._headers if version is None else {**self._headers, "If-Match": f'"{version}"'}
        connection = self._connect(*self._where, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read(ANSWER_BYTES))
            status = answer.status
        except ValueError:
            raise CannotBeDone(f"{self._url}: did not answer as an operator API does") from None
        except (OSError, HTTPException) as error:
            raise CannotBeDone(f"{self._url}: {str(error) or type(error).__name__}") from None
        finally:
            connection.close()
        if not isinstance(told, dict):
            raise CannotBeDone(f"{self._url}: did not answer as an operator API does")
        if status == UNAUTHORISED:
            raise SettingsError(["the operator token is not the gateway's"])
        if status not in OK:
            lines = [str(told.get("title", status)), *map(str, told.get("problems") or ())]
            raise SettingsError(lines) if status in WRONG else CannotBeDone("; ".join(lines))
        return told
