"""The gateway's settings: what `sunbeon.toml` may say, checked whole before anything starts.

Settings that only a restart changes (addresses, paths, files) live here. The live ones (limits, state, message) begin
with what the file says and are the store's from then on: see `Room.limits`.
"""

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gateway.room.match import Area, BypassRule, canonical_host, fold_prefix, parse_networks
from gateway.room.model import Limits, Mode, QueueingMethod
from gateway.room.schedule import Change, Window, problems
from shared import settings as loader

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# As DNS has it: labels of at most 63, and an underscore, which some private networks use.
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = rf"(?=[^:/]{{1,253}}(?:[:/]|\Z)){_LABEL}(?:\.{_LABEL})*\.?"
_ORIGIN: Final = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<host>{_HOST})|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?/?"
)
_HOST_HEADER: Final = re.compile(rf"(?:{_HOST}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
LANGUAGES: Final = ("ko", "en")
# Room for every time zone and every sum with a duration: no time in here overflows later.
EARLIEST_OPENING: Final = datetime(2000, 1, 1, tzinfo=UTC)
OPENING_BEFORE: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("use 1-32 small letters, digits, - and _, beginning with a letter or digit")
    return text


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"pages are in {' and '.join(LANGUAGES)}")
    return text


def one_line(text: str) -> str:
    """Raises `ValueError` for a text that is more than that."""
    # Cc, Cf: a NUL, a line break, a mark that turns the rest of the page's text around.
    if any(unicodedata.category(mark) in {"Cc", "Cf"} for mark in text):
        raise ValueError("holds a control character; write one line of plain text")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not host:port")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an IP network: {error}") from None
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or any(mark in text for mark in "?#%;\\"):
        raise ValueError(f"{text!r} is not a path: it begins with / and is written plainly, without ? # % ; or \\")
    if {".", ".."} & set(text.split("/")):
        raise ValueError(f"{text!r} is not a path that anybody asks for: write it without . and ..")
    return one_line(text)


Name = Annotated[str, AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
UrlPath = Annotated[str, AfterValidator(_path)]
Language = Annotated[str, AfterValidator(_language)]
OperatorName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(one_line)]
Texts = dict[Language, Annotated[str, Field(max_length=500), AfterValidator(one_line)]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Gateway(_Section):
    """`[gateway]`: this process and its files."""

    listen: Address = Field("127.0.0.1:8080", description="Where visitors come in.")
    operator_listen: Address = Field("127.0.0.1:8081", description="Where operators come in. Keep it off the internet.")
    workers: int = Field(1, ge=1, le=64, description="Worker processes sharing the visitors' port.")
    store: str = Field("sqlite:///var/sunbeon.db", repr=False, description="Where the line lives.")
    store_timeout_s: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="Longest wait for the store, for one call and for one visitor's answer; then as if it were away.",
    )
    store_password_file: Path | None = Field(
        None, description="Holds the password of a Redis store; SUNBEON_STORE_PASSWORD wins."
    )
    store_sentinel_password_file: Path | None = Field(
        None, description="Holds that of its Sentinels; SUNBEON_STORE_SENTINEL_PASSWORD wins."
    )
    store_ca_file: Path | None = Field(None, description="CAs (PEM) trusted for rediss://; none: the system's.")
    pass_grace_s: float = Field(
        60.0,
        ge=0,
        le=600,
        description="How long, since the store was last heard from, passes known to live are forwarded without it.",
    )
    keys_file: Path = Field(Path("var/keys.json"), description="Secrets that sign tickets, passes and proofs.")
    operator_token_file: Path = Field(
        Path("var/operator.token"),
        description="Bearer token of the operator API, an admin's; SUNBEON_OPERATOR_TOKEN wins.",
    )
    operator_tokens_file: Path = Field(
        Path("var/operators.json"), description="More tokens, with names and roles: `sunbeon token create`."
    )
    two_person_actions: tuple[Literal["reset", "passthrough"], ...] = Field(
        (), description="What one admin asks for and another one has to confirm, at the operator API."
    )
    audit_log: Path | None = Field(
        Path("var/audit.log"),
        description="Admissions, refusals, operators' actions: a JSON line each, chained by hashes.",
    )
    audit_log_max_bytes: int = Field(
        2**30, ge=0, description="Where it is moved aside, to `audit.log.1`, `.2`, ... None is deleted. 0: never."
    )
    history_file: Path | None = Field(
        Path("var/history.db"), description="How each room stood every ten seconds: for console and report. None: off."
    )
    history_days: int = Field(7, ge=1, le=90, description="How long that is kept: some 5 MB a room and day.")
    access_log: Path | None = Field(
        None, description="A JSON line for each request answered, without query or address. None: off."
    )
    access_log_share: float = Field(1.0, ge=0, le=1, description="How many of them are written, drawn by lot.")
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Networks whose word on the client is believed: its address and scheme, and X-Request-ID."
    )
    client_address_from: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="The header by which trusted proxies say so (forwarded: RFC 7239)."
    )
    tls: bool = Field(False, description="HTTPS ends at a front server: cookies become Secure.")
    tls_certificate: Path | None = Field(
        None, description="HTTPS ends here: PEM, leaf first, then its chain. Read again when it changes."
    )
    tls_key: Path | None = Field(None, description="The certificate's private key: PEM, without a password.")
    open_hosts: tuple[str, ...] = Field(
        (), description="Hosts forwarded without a room, where rooms name theirs. Others get 421."
    )
    log_json: bool = Field(False, description="Logs as JSON lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    client_idle_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="How long a client may pause within its body or take nothing of an answer."
    )
    direct_entries_per_network_per_minute: int = Field(
        600,
        ge=0,
        le=10**6,
        description="Newcomers of a network let in by their first request, per worker; more knock first. 0: all.",
    )
    birth_dates_per_network_per_minute: int = Field(
        600,
        ge=0,
        le=10**6,
        description="Birth dates a network may ask about in rooms with a `calendar`, per worker; else 429. 0: any.",
    )
    client_min_bytes_per_s: int = Field(
        240, ge=0, le=10**9, description="A client that sends a body or takes an answer slower than this is cut off."
    )
    max_body_bytes: int = Field(64 * 2**20, ge=0, description="Largest request body that is forwarded.")
    drain_delay_s: float = Field(
        0.0,
        ge=0,
        le=300,
        description="How long a stopping worker, no longer ready, still takes visitors: until balancers have seen it.",
    )
    drain_s: float = Field(
        10.0, ge=0, le=300, description="How long a stopping worker then lets requests under way finish."
    )
    header_timeout_s: float = Field(
        10.0, gt=0, le=300, description="A request's head must have come whole this long after its first byte, or 408."
    )
    keepalive_timeout_s: float = Field(
        75.0, gt=0, le=3600, description="How long a connection is kept open between requests."
    )
    max_target_bytes: int = Field(8192, ge=256, le=65_536, description="Longest address of a request; else 414.")
    max_header_bytes: int = Field(
        32_768, ge=1024, le=2**20, description="Largest head of a request, its first line and all headers; else 431."
    )
    max_headers: int = Field(100, ge=16, le=1000, description="Most headers of a request; else 431.")
    max_connections: int = Field(
        50_000,
        ge=1,
        le=10_000_000,
        description="Most connections of visitors, per worker, as far as the system's limit of open files goes; "
        "whoever comes beyond it is told to come back (503).",
    )
    max_connections_per_network: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Most connections of one IPv4 address or IPv6 /64, per worker; 0: no limit. "
        "Those of `trusted_proxies` are not counted: there, the front server must limit.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_not_everybody(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if ip_network(network).prefixlen == 0:
                raise ValueError(f"{network!r} believes everybody about who they are: name the front servers' networks")
        return networks

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both or neither")
        return self

    @property
    def https(self) -> bool:
        """Whether visitors come by HTTPS, whoever ends it."""
        return self.tls or self.tls_certificate is not None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server of the backend listens: host and port, or the path of a Unix socket. authority: as Host has it."""

    tls: bool
    host: str
    port: int
    path: str | None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse_origin(text: str) -> Origin:
    """An entry of `upstream.servers`. Raises ValueError naming the entry."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        # The limit is the kernel's (sun_path, with its NUL).
        if not path.startswith("/") or not path.isprintable() or len(os.fsencode(path)) > 107:  # noqa: PLR2004
            raise ValueError(f"{text!r} is not unix: with an absolute path of at most 107 bytes")
        return Origin(tls=False, host="localhost", port=80, path=path)
    if (found := _ORIGIN.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is not an origin such as http://127.0.0.1:8090 or unix:/run/app.sock")
    tls = found["scheme"] == "https"
    host = (found["v6"] or found["host"]).lower()
    port = int(found["port"]) if found["port"] else 443 if tls else 80
    if found["v6"] or host.replace(".", "").isdigit():
        try:
            ip_address(host)
        except ValueError:
            raise ValueError(f"{text!r} has no IP address that exists") from None
    if not 0 < port < 65_536:  # noqa: PLR2004
        raise ValueError(f"{text!r} has no port between 1 and 65535")
    return Origin(tls=tls, host=host, port=port, path=None)


class Upstream(_Section):
    """`[upstream]`: the booking site behind."""

    servers: tuple[str, ...] = Field(
        description="Where it listens: `http://127.0.0.1:8090`, `https://app.internal`, `unix:/run/app.sock`.",
        min_length=1,
    )
    balance: Literal["least_connections", "round_robin"] = Field(
        "least_connections", description="Which server is next: the one with the least under way, or each in turn."
    )
    host: str | None = Field(None, description="Host header the backend gets; none: the one the visitor sent.")
    connect_timeout_s: float = Field(
        3.0, gt=0, le=60, description="Longest wait for a connection to a server, and for one of `max_connections`."
    )
    response_timeout_s: float = Field(60.0, gt=0, le=3600, description="Longest wait for an answer's first byte.")
    idle_timeout_s: float = Field(
        300.0, gt=0, le=86_400, description="Longest silence amid an answer or within a tunnel (WebSocket)."
    )
    max_connections: int = Field(
        512, ge=1, le=65_536, description="Connections in use at once, all servers together, per worker."
    )
    max_requests_per_network: int = Field(
        0,
        ge=0,
        le=65_536,
        description="Of these, how many one client network may hold (IPv6: a /64), streams included. 0: a quarter.",
    )
    max_idle_connections: int = Field(
        64, ge=0, le=65_536, description="Connections kept open for the next request, per server and worker."
    )
    idle_connection_s: float = Field(
        30.0, gt=0, le=3600, description="How long one is kept at most. Must be below the backend's own keep-alive."
    )
    tls_ca_file: Path | None = Field(None, description="CAs (PEM) trusted for https servers; none: the system's.")
    tls_server_name: str | None = Field(
        None, description="Name asked for by SNI and looked for in the certificate; none: the server's host."
    )
    tls_verify: bool = Field(True, description="Check certificates. Off, anyone in between can pose as the backend.")
    health_path: str | None = Field(
        None, description="Asked for by GET: 2xx, 3xx is healthy, 503 drains; none: no checks."
    )
    health_interval_s: float = Field(2.0, gt=0, le=600, description="Between two checks of a server, +-20 %.")
    health_timeout_s: float = Field(2.0, gt=0, le=60, description="Longest a check may take.")
    health_rise: int = Field(2, ge=1, le=100, description="Good checks in a row until a server is used again.")
    health_fall: int = Field(3, ge=1, le=100, description="Bad checks in a row until it no longer is.")
    passive_fails: int = Field(
        3, ge=1, le=1000, description="Failed requests in a row until a server rests; a refused connection is enough."
    )
    rest_s: float = Field(
        5.0, gt=0, le=60, description="First rest; doubles up to 60 s with each trial request that fails."
    )
    slow_start_s: float = Field(10.0, ge=0, le=600, description="Until a recovered server has its whole share again.")
    dns_refresh_s: float = Field(10.0, gt=0, le=3600, description="How often names of servers are looked up anew.")
    pass_lifetime_s: int = Field(60, ge=10, le=600, description="How long a Sunbeon-Pass may be shown to the backend.")

    @field_validator("servers")
    @classmethod
    def _are_origins(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        origins = [parse_origin(server) for server in servers]
        for index, server in enumerate(servers):
            if origins[index] in origins[:index]:
                raise ValueError(f"{server!r} is there twice")
        return tuple(server.rstrip("/") for server in servers)

    @field_validator("host")
    @classmethod
    def _is_a_host_header(cls, host: str | None) -> str | None:
        if host is not None and not _HOST_HEADER.fullmatch(host):
            raise ValueError(f"{host!r} is not a host with or without a port")
        return host

    @field_validator("tls_server_name")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(_HOST, name):
            raise ValueError(f"{name!r} is not a host name")
        return name

    @field_validator("health_path")
    @classmethod
    def _is_a_target(cls, path: str | None) -> str | None:
        if path is not None and not re.fullmatch(r"/[!-~]*", path.replace("#", " ")):
            raise ValueError(f"{path!r} is not a path such as /healthz (a query may follow)")
        return path

    @model_validator(mode="after")
    def _tls_is_for_https(self) -> Self:
        meant = self.tls_ca_file is not None or self.tls_server_name is not None or not self.tls_verify
        if meant and not any(parse_origin(server).tls for server in self.servers):
            raise ValueError("tls_ca_file, tls_server_name and tls_verify are for https:// servers, and there is none")
        return self


class Bypass(_Section):
    """`[[room.bypass]]`: requests that need no turn. All conditions given must hold."""

    name: Name = Field(description="How it is counted and logged.")
    reason: str = Field(min_length=1, max_length=200, description="Why it exists, for the next operator.")
    paths: tuple[UrlPath, ...] = Field(
        (), description="Path prefixes, whole segments; every reading must lie under one, capitals as written."
    )
    networks: tuple[Network, ...] = Field((), description="Client networks, as `10.0.0.0/8`.")
    user_agents: tuple[Annotated[str, Field(min_length=3)], ...] = Field(
        (), description="Parts of the user agent; only beside paths or networks."
    )
    methods: tuple[Annotated[str, Field(pattern=r"^[A-Z-]{1,32}$")], ...] = Field(
        (),
        description='Methods, as `["OPTIONS"]` for preflights; only beside paths or networks. '
        "Not for a request that overrides its method by a header.",
    )

    @model_validator(mode="after")
    def _is_no_open_door(self) -> Self:
        if not self.paths and not self.networks:
            # Anyone can send any user agent: alone it would be an open door.
            raise ValueError("needs paths or networks; a user agent alone lets in whoever claims it")
        return self

    def rule(self) -> BypassRule:
        return BypassRule(self.name, self.paths, parse_networks(self.networks), self.user_agents, self.methods)


def _written_out(moment: Any) -> Any:
    """A number would be taken for seconds since 1970, or for milliseconds, by its size."""
    if isinstance(moment, int | float) or (isinstance(moment, str) and not _MOMENT.match(moment)):
        raise ValueError("write it out, as 2021-07-19T20:00:00+09:00")
    return moment


def _moment(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs its UTC offset (2021-07-19T20:00:00+09:00), or the room a `timezone`")
    if not EARLIEST_OPENING <= moment < OPENING_BEFORE:
        raise ValueError("lies outside the years 2000 to 2199 (UTC)")
    return moment


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{text!r} is no time zone such as Asia/Seoul") from None
    return text


Moment = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_moment)]
Users = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]


class OpeningWindow(_Section):
    """`[[room.more_windows]]`: a time in which the room is open, after the first one."""

    opens_at: Moment = Field(description="From then on people are admitted.")
    closes_at: Moment | None = Field(None, description="From then on nobody is; none: it stays open.")

    def window(self) -> Window:
        return Window(_ms(self.opens_at), _ms(self.closes_at))


class LimitChange(_Section):
    """`[[room.timetable]]`: from a moment on, another outflow or ceiling."""

    at: Moment = Field(description="When.")
    new_users_per_minute: Users | None = Field(None, description="Outflow from then on; none: as before.")
    total_active_users: Users | None = Field(None, description="Ceiling from then on; none: as before.")

    def change(self) -> Change:
        return Change(round(self.at.timestamp() * 1000), self.new_users_per_minute, self.total_active_users)


class Postponement(_Section):
    """What an operator says to move an opening."""

    opens_at: Moment
    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
    by: OperatorName | None = None

    @property
    def opens_at_ms(self) -> int:
        return round(self.opens_at.timestamp() * 1000)


class Live(_Section):
    """The settings an operator may change while the room runs, by their names in the file and on the wire."""

    state: Mode = Field(Mode.OPEN, description="open, paused, closed, sold_out or passthrough.")
    queueing_method: QueueingMethod = Field(
        QueueingMethod.FIFO, description="fifo; draw: lots among those who came before opening; reject: keep no line."
    )
    total_active_users: Users = Field(300, description="Ceiling on visitors inside at once.")
    new_users_per_minute: Users = Field(600, description="Outflow: admissions per minute.")
    claim_window_s: int = Field(300, strict=True, ge=10, le=86_400, description="How long a called place is kept.")
    session_length_s: int = Field(900, strict=True, ge=1, le=86_400, description="Longest stay inside.")
    idle_limit_s: int = Field(
        300, strict=True, ge=1, le=86_400, description="A stay ends after this long without a request."
    )
    unserved_limit_s: int = Field(
        600,
        strict=True,
        ge=0,
        le=86_400,
        description="While the backend fails whom it should serve, a stay begins up to this much later; 0: at once.",
    )
    opens_at: Moment | None = Field(
        None, description="Nobody is admitted before. With its UTC offset, or by the room's `timezone`."
    )
    closes_at: Moment | None = Field(None, description="Nobody is admitted from then on; who is inside may finish.")
    prequeue_s: int | None = Field(
        None,
        strict=True,
        ge=0,
        le=7 * 86_400,
        description="How long before an opening people may line up; none: always.",
    )
    more_windows: tuple[OpeningWindow, ...] = Field(
        (), max_length=50, description="Further times, tables of their own."
    )
    timetable: tuple[LimitChange, ...] = Field((), max_length=200, description="Limits by time, tables of their own.")
    message: Texts = Field(default_factory=dict, description="A line from the operator to everyone waiting.")


class Room(Live):
    """`[[room]]`: one protected area with its own line."""

    name: Name = Field(description="In cookies, addresses and counters.")
    title: Texts = Field(default_factory=dict, description="What the waiting page calls it, by language.")
    hosts: tuple[str, ...] = Field((), description="Host names; none means every host.")
    paths: tuple[UrlPath, ...] = Field(("/",), min_length=1, description="Path prefixes, whole segments.")
    templates: Path | None = Field(None, description="Folder with templates that replace ours by file name.")
    on_store_error: Literal["wait", "admit"] = Field(
        "wait",
        description="While the store is away: newcomers wait, or all go in, without any limit, if the room was open.",
    )
    calendar: str | None = Field(
        None,
        min_length=1,
        description="Who may book when: an eligibility calendar's file, or the name of one that comes with the program "
        "(`july-2021`). Read again when it changes. None: nobody is asked.",
    )
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        None,
        description="Zone of moments without a UTC offset, as `Asia/Seoul`, and of pages without scripts (none: KST).",
    )
    bypass: tuple[Bypass, ...] = Field((), description="Tables of their own, below.")

    @model_validator(mode="before")
    @classmethod
    def _moments_have_a_zone(cls, data: Any) -> Any:
        zone = data.get("timezone") if isinstance(data, Mapping) else None
        return _in_zone(data, ZoneInfo(_zone(zone))) if isinstance(zone, str) else data

    @model_validator(mode="after")
    def _schedule_can_be_read(self) -> Self:
        found = problems(self.limits().windows, self.limits().timetable)
        if found:
            raise ValueError("; ".join(found))
        return self

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if any("/" in host or "*" in host or not host.strip() for host in hosts):
            raise ValueError("write plain host names, without scheme, path or *")
        return tuple(canonical_host(host) for host in hosts)

    @model_validator(mode="after")
    def _rules_are_distinct(self) -> Self:
        names = [rule.name for rule in self.bypass]
        if len(set(names)) < len(names):
            raise ValueError("two bypass rules have the same name")
        return self

    def area(self) -> Area:
        return Area(self.name, self.hosts, tuple(fold_prefix(path) for path in self.paths))

    def limits(self) -> Limits:
        """The live settings as the file has them."""
        return Limits(**limits_patch({name: getattr(self, name) for name in Live.model_fields}))


def read_live_patch(data: Any) -> dict[str, Any]:
    """A change of live settings from the wire, as fields of `Limits`. Raises pydantic's `ValidationError`."""
    patch = Live.model_validate(data)
    return limits_patch({name: getattr(patch, name) for name in patch.model_fields_set})


def limits_patch(values: Mapping[str, Any]) -> dict[str, Any]:
    """Live settings as fields of `Limits`: seconds and moments become milliseconds, `state` becomes `mode`."""
    patch: dict[str, Any] = {}
    for key, value in values.items():
        if key == "state":
            patch["mode"] = value
        elif key in {"opens_at", "closes_at"}:
            patch[key + "_ms"] = _ms(value)
        elif key == "more_windows":
            patch[key] = tuple(each.window() for each in value)
        elif key == "timetable":
            patch[key] = tuple(each.change() for each in value)
        elif key.endswith("_s"):
            patch[key.removesuffix("_s") + "_ms"] = None if value is None else value * 1000
        else:
            patch[key] = value
    return patch


def live_settings(limits: Limits) -> dict[str, Any]:
    """The reverse of `limits_patch`, for all of them, as JSON has it."""
    return {
        "state": limits.mode.value,
        "queueing_method": limits.queueing_method.value,
        "total_active_users": limits.total_active_users,
        "new_users_per_minute": limits.new_users_per_minute,
        "claim_window_s": limits.claim_window_ms // 1000,
        "session_length_s": limits.session_length_ms // 1000,
        "idle_limit_s": limits.idle_limit_ms // 1000,
        "unserved_limit_s": limits.unserved_limit_ms // 1000,
        "opens_at": as_iso(limits.opens_at_ms),
        "closes_at": as_iso(limits.closes_at_ms),
        "prequeue_s": None if limits.prequeue_ms is None else limits.prequeue_ms // 1000,
        "more_windows": [
            {"opens_at": as_iso(window.opens_at_ms), "closes_at": as_iso(window.closes_at_ms)}
            for window in limits.more_windows
        ],
        "timetable": [
            {
                "at": as_iso(change.at_ms),
                "new_users_per_minute": change.new_users_per_minute,
                "total_active_users": change.total_active_users,
            }
            for change in limits.timetable
        ],
        "message": dict(limits.message),
    }


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def as_iso(moment_ms: int | None) -> str | None:
    """A moment as JSON has it, in UTC."""
    return None if moment_ms is None else datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat()


def _in_zone(data: Any, zone: ZoneInfo) -> Any:
    """The same, with a zone for every moment that has none. Raises `ValueError` for one that comes twice, or never."""
    if isinstance(data, datetime) and data.tzinfo is None:
        first, second = data.replace(tzinfo=zone, fold=0), data.replace(tzinfo=zone, fold=1)
        if first.utcoffset() != second.utcoffset():
            raise ValueError(f"{data} is skipped or comes twice in {zone}: write its UTC offset")
        return first
    if isinstance(data, Mapping):
        return {key: _in_zone(value, zone) for key, value in data.items()}
    return [_in_zone(value, zone) for value in data] if isinstance(data, list | tuple) else data


class Settings(_Section):
    """Everything the gateway wants to know."""

    gateway: Gateway = Field(default_factory=Gateway)
    upstream: Upstream
    room: tuple[Room, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rooms_are_distinct(self) -> Self:
        names = [room.name for room in self.room]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rooms have the same name: {', '.join(twice)}")
        places = [(host, path) for room in self.room for host in room.hosts or ("",) for path in room.area().paths]
        shared = sorted({f"{host}{path}" for host, path in places if places.count((host, path)) > 1})
        if shared:
            raise ValueError(f"two rooms cover the same address: {', '.join(shared)}")
        return self


def load(
    path: Path | None, *, environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read and check the settings. Raises `SettingsError` with every problem found."""
    return loader.load(Settings, path=path, environ=environ, flags=flags)
