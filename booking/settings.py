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


class SimulatedMethod(BaseModel):
    """One way to prove oneself, as slow and unreliable as a rehearsal wants it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The middle of a range from half to one and a half of it.
    latency_ms: int = Field(default=300, ge=0, le=60_000)
    # Checks that end without an answer, and those that say "this is not that person".
    failure_percent: float = Field(default=0, ge=0, le=100)
    refusal_percent: float = Field(default=0, ge=0, le=100)
    # Checks at once; more wait their turn, up to `timeout_s`.
    capacity: int = Field(default=200, ge=1, le=100_000)


class Identity(BaseModel):
    """The identity check: a provider of this program's own, which invents its answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["simulated"] = "simulated"
    carrier: SimulatedMethod = SimulatedMethod()
    certificate: SimulatedMethod = SimulatedMethod()
    # The longest a visitor waits for one check.
    timeout_s: float = Field(default=10, gt=0, le=60)
    # Checks one pass may ask for: they cost money, and a guesser must not have many.
    attempts_per_pass: int = Field(default=10, ge=1, le=1_000)


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
    # Who may book when: a calendar file, or the name of one that comes with the program. Read again when it changes.
    rules: str = "everyone"
    # Live bookings one person may have made for others.
    proxy_limit: int = Field(default=4, ge=0, le=100)
    # How long a visitor's proven identity and what they typed count, in a sealed cookie of their own.
    session_s: int = Field(default=1_800, ge=60, le=86_400)
    identity: Identity = Identity()
    # For visitors whose browser asks for neither Korean nor English.
    language: Language = "ko"


class Settings(BaseModel):
    """All this program reads; the file's other sections belong to the gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    booking: Booking = Booking()
