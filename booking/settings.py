"""The `[booking]` section of the settings file."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Language = Literal["ko", "en"]

DATABASE_PREFIX: Final = "sqlite+aiosqlite:///"
_HIGHEST_PORT: Final = 65_535


def split_listen(text: str) -> tuple[str, int]:
    """`127.0.0.1:8090` or `[::1]:8090` as host and port (0: any free one). Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or (":" in bare) != host.startswith("["):
        raise ValueError('write "host:port", for IPv6 "[host]:port"')
    if not (port.isascii() and port.isdigit()) or int(port) > _HIGHEST_PORT:
        raise ValueError(f"port {port!r} is not a number up to {_HIGHEST_PORT}")
    return bare, int(port)


def _check_listen(text: str) -> str:
    split_listen(text)
    return text


def _check_database(text: str) -> str:
    name = text.removeprefix(DATABASE_PREFIX)
    if name in {text, "", ":memory:"} or "?" in name:
        raise ValueError(f'write "{DATABASE_PREFIX}PATH"; a database in memory would lose every booking')
    return text


class Booking(BaseModel):
    """Relative paths are taken from the directory the program is started in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:8090"
    database: Annotated[str, AfterValidator(_check_database)] = "sqlite+aiosqlite:///var/booking.db"
    # The gateway's verification keys, a JWK Set. Read again whenever the file changes.
    backend_keys: Path = Path("var/backend-keys.json")
    # Key of the persons' hashes; made on the first start. `SUNBEON_BOOKING_SECRET` takes its place.
    secret_file: Path = Path("var/booking.secret")
    # One JSON line per request, with how it got in; "" writes none.
    request_log: str = ""
    # Rooms whose passes are good here; empty: any room whose keys we hold.
    rooms: tuple[str, ...] = ()
    hold_s: int = Field(default=300, ge=30, le=3_600)
    slot_capacity: int = Field(default=60, ge=1, le=100_000)
    # For visitors whose browser asks for neither Korean nor English.
    language: Language = "ko"


class Settings(BaseModel):
    """All this program reads; the file's other sections belong to the gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    booking: Booking = Booking()
