"""The `[booking]` section of the settings file."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Language = Literal["ko", "en"]

DATABASE_PREFIX: Final = "sqlite+aiosqlite:///"
POSTGRES_PREFIX: Final = "postgresql+asyncpg://"
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
    if text.startswith(POSTGRES_PREFIX):
        return text
    name = text.removeprefix(DATABASE_PREFIX)
    if name in {text, "", ":memory:"} or "?" in name:
        # Never the text itself: it may hold a password.
        raise ValueError(
            f'write "{DATABASE_PREFIX}PATH" or "{POSTGRES_PREFIX}USER@HOST/NAME"; a database in memory would lose '
            "every booking"
        )
    return text


class SimulatedMethod(BaseModel):
    """One way to prove oneself, as slow and unreliable as a rehearsal wants it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_ms: int = Field(
        default=300, ge=0, le=60_000, description="A check takes from half to one and a half of it."
    )
    failure_percent: float = Field(default=0, ge=0, le=100, description="Checks that end without an answer.")
    refusal_percent: float = Field(default=0, ge=0, le=100, description='Checks that say "this is not that person".')
    capacity: int = Field(default=200, ge=1, le=100_000, description="Checks at once; more wait for their turn.")


class Identity(BaseModel):
    """The identity check: a provider of this program's own, which invents its answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["simulated"] = Field(default="simulated", description="The only one that comes with the program.")
    carrier: SimulatedMethod = Field(default=SimulatedMethod(), description="By mobile carrier; see below.")
    certificate: SimulatedMethod = Field(default=SimulatedMethod(), description="By certificate; see below.")
    timeout_s: float = Field(default=10, gt=0, le=60, description="The longest a visitor waits for one check.")
    attempts_per_pass: int = Field(
        default=10, ge=1, le=1_000, description="Checks one pass may ask for: they cost money, and guessers need many."
    )


class Booking(BaseModel):
    """Relative paths are taken from the directory the program is started in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: Annotated[str, AfterValidator(_check_listen)] = Field(
        default="127.0.0.1:8090", description="Host and port. Only the gateway should reach it."
    )
    database: Annotated[str, AfterValidator(_check_database)] = Field(
        default="sqlite+aiosqlite:///var/booking.db",
        repr=False,
        description="`sqlite+aiosqlite:///PATH` or `postgresql+asyncpg://USER@HOST/NAME`.",
    )
    backend_keys: Path = Field(
        default=Path("var/backend-keys.json"),
        description="The gateway's verification keys, a JWK Set. Read again whenever the file changes.",
    )
    secret_file: Path = Field(
        default=Path("var/booking.secret"),
        description="Key of the persons' hashes and of all seals; made on the first start. Keep a copy: without it no "
        "phone number can be read and people could book twice. `SUNBEON_BOOKING_SECRET` takes its place.",
    )
    request_log: str = Field(default="", description="One JSON line per request, with how it got in; empty: none.")
    rooms: tuple[str, ...] = Field(
        default=(), description="Rooms whose passes are good here; empty: any room whose keys we hold."
    )
    selling_rooms: tuple[str, ...] = Field(
        default=(),
        description="Rooms that are told when nothing is left; empty: every room. Leave out one that is for look-ups.",
    )
    rules: str = Field(
        default="everyone",
        description="Who may book when: a calendar file, or the name of one that comes with the program "
        "(`everyone`, `july-2021`). Read again when it changes.",
    )
    hold_s: int = Field(default=300, ge=30, le=3_600, description="How long a seat is kept for who chose it.")
    sweep_s: float = Field(default=5, ge=0.1, le=300, description="How often seats of ended holds are given on.")
    slot_capacity: int = Field(default=60, ge=1, le=100_000, description="Seats of each of the demo's appointments.")
    proxy_limit: int = Field(default=4, ge=0, le=100, description="Live bookings one person may have made for others.")
    session_s: int = Field(
        default=1_800,
        ge=60,
        le=86_400,
        description="How long a proven identity counts, in a sealed cookie of the visitor's own.",
    )
    identity: Identity = Field(default=Identity(), description="See below.")
    language: Language = Field(default="ko", description="For visitors whose browser asks for neither of ours.")


class Settings(BaseModel):
    """All this program reads; the file's other sections belong to the gateway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    booking: Booking = Booking()
