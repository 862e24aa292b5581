"""The shipped files, as the tests' servers take them."""

from pathlib import Path
from typing import Final

from gateway.tests.redis.process import HOST
from gateway.tests.redis.sentinels import Sentinel

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
# Of one machine and one test, and set by the tests' servers themselves.
PLACES: Final = {"bind", "port", "dir", "aclfile"}
GATEWAY: Final = ("sunbeon", "change-me-gateway")
SENTINELS_PASSWORD: Final = "change-me-sentinels"


def lines(name: str) -> list[str]:
    text = (DEPLOY / "valkey" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def users() -> list[str]:
    return lines("users.acl")


def directives() -> dict[str, str]:
    """Of valkey.conf."""
    pairs = (line.split(" ", 1) for line in lines("valkey.conf"))
    return {name: value for name, value in pairs if name not in PLACES}


class ShippedSentinel(Sentinel):
    """By sentinel.conf, with its own patience."""

    def start(self) -> None:
        super(Sentinel, self).start()

    def _connection(self):
        return {**super()._connection(), "password": SENTINELS_PASSWORD}

    def _config(self) -> list[str]:
        self.port = self._take_port()
        kept = [line.replace("10.0.0.11 6379", f"{HOST} {self.primary.port}") for line in lines("sentinel.conf")]
        assert any(str(self.primary.port) in line for line in kept), "the shipped file watches nobody"
        kept = [line for line in kept if line.split(" ", 1)[0] not in PLACES]
        return [f"bind {HOST}", f"port {self.port}", f"dir {self.folder}", *kept]
