"""The connections to the backend's servers, over real sockets: kept, limited, moved on, checked."""

import asyncio
import logging
import math
import socket
import ssl
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from gateway.edge.proxy.check import look
from gateway.edge.proxy.errors import BackendError, BackendTimeout
from gateway.edge.proxy.health import Verdict
from gateway.edge.proxy.servers import Upstreams, tls_context
from gateway.edge.tests.backend import Backend, answer, hang, running, until
from gateway.settings import Upstream, parse_origin
from shared.errors import SettingsError


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def upstreams(stack, clock):
    """Make `Upstreams` for servers; started only on request."""

    async def make(*servers: str, start: bool = False, resolve=None, **settings) -> Upstreams:
        more = {} if resolve is None else {"resolve": resolve}
        made = Upstreams(Upstream(servers=servers, **settings), monotonic=clock, **more)
        stack.push_async_callback(made.close)
        if start:
            await made.start()
        return made

    return make


@asynccontextmanager
async def listening(backend: Backend, *, host="127.0.0.1", port=0, path=None, tls=None):
    """The backend on any address, or a Unix socket, with or without TLS; its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader, writer):
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await backend.serve(reader, writer)

    if path is not None:
        server = await asyncio.start_unix_server(serve, path)
    else:
        server = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        backend.cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


async def exchange(lease, target="/") -> bytes:
    """One request and its answer on a lease; the body."""
    lease.connection.begin()
    lease.connection.write(f"GET {target} HTTP/1.1\r\nHost: site.test\r\n\r\n".encode())
    _, body = await lease.connection.head()
    data = await body.read()
    lease.succeeded()
    return bytes(data)


async def ask(upstreams, target="/", *, idle_s=math.inf) -> tuple[bytes, bool]:
    """A whole request: the answer's body, and whether its connection was used before."""
    async with upstreams.lease(idle_s=idle_s) as lease:
        return await exchange(lease, target), lease.reused


def said(caplog, text) -> list[Any]:
    return [record for record in caplog.records if text in record.message]


def named(name: str) -> Backend:
    return Backend(reply=answer(name.encode()))


# Connections are kept


async def test_a_connection_is_used_again_and_a_fresh_one_is_not(upstreams, backend):
    servers = await upstreams(backend.url)
    assert [(await ask(servers))[1] for _ in range(3)] == [False, True, True]
    assert (await ask(servers, idle_s=0))[1] is False
    assert backend.connections == 2


async def test_a_connection_idle_for_longer_than_asked_for_is_not_used_but_kept_for_others(upstreams, backend, clock):
    servers = await upstreams(backend.url)
    await ask(servers)
    clock.now_s += 2
    assert (await ask(servers, idle_s=1))[1] is False
    assert (await ask(servers, idle_s=1))[1] is True
    assert servers.state()[0].idle == 2


async def test_the_connection_kept_last_is_used_first(upstreams, backend):
    servers = await upstreams(backend.url)
    async with servers.lease() as old, servers.lease() as new:
        await exchange(old)
        await exchange(new)
        # Given back in the order new, old.
    async with servers.lease() as lease:
        assert lease.connection is old.connection


async def test_a_connection_kept_too_long_is_closed_and_not_used_again(upstreams, backend, clock):
    servers = await upstreams(backend.url, idle_connection_s=30)
    await ask(servers)
    clock.now_s += 29
    assert (await ask(servers))[1] is True
    clock.now_s += 31
    assert servers.state()[0].idle == 0
    assert (await ask(servers))[1] is False
    await until(lambda: len(backend.writers) == 1, "the old connection is closed")


async def test_connections_kept_too_long_are_closed_though_no_request_comes(upstreams, backend, clock, monkeypatch):
    monkeypatch.setattr("gateway.edge.proxy.servers.TIDY_S", 0.01)
    servers = await upstreams(backend.url, start=True)
    await ask(servers)
    clock.now_s += 31
    await until(lambda: not backend.writers, "the connection is closed")


async def test_no_more_are_kept_than_allowed(upstreams, backend):
    servers = await upstreams(backend.url, max_idle_connections=2)

    async def hold():
        async with servers.lease() as lease:
            await exchange(lease)
            await held.wait()

    held = asyncio.Barrier(5)
    await asyncio.gather(*(hold() for _ in range(5)))
    assert servers.state()[0].idle == 2
    await until(lambda: len(backend.writers) == 2, "the others are closed")


async def test_none_is_kept_where_none_is_allowed(upstreams, backend):
    servers = await upstreams(backend.url, max_idle_connections=0)
    assert [(await ask(servers))[1] for _ in range(2)] == [False, False]


@pytest.mark.parametrize("event", ["eof", "data"])
async def test_a_connection_that_spoke_or_closed_while_idle_is_never_used(upstreams, backend, event):
    servers = await upstreams(backend.url)
    await ask(servers)
    (writer,) = backend.writers
    if event == "eof":
        writer.close()
    else:
        writer.write(answer(b"for somebody else"))
    await until(lambda: servers.state()[0].idle == 0, "the connection is out of use")
    assert await ask(servers) == (b"hello", False)


async def test_an_exchange_that_was_not_ended_costs_its_connection(upstreams, backend):
    servers = await upstreams(backend.url)
    async with servers.lease() as lease:
        lease.connection.begin()
        lease.connection.write(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert servers.state()[0].idle == 0
    assert (await ask(servers))[1] is False


async def test_a_connection_nothing_was_sent_on_is_kept(upstreams, backend):
    servers = await upstreams(backend.url)
    async with servers.lease():
        pass
    assert await ask(servers) == (b"hello", True)


async def test_closing_closes_the_kept_at_once_and_the_others_when_they_come_back(upstreams, backend):
    servers = await upstreams(backend.url)
    async with servers.lease() as under_way:
        await ask(servers)
        await servers.close()
        await until(lambda: len(backend.writers) == 1, "the kept one is closed")
        assert await exchange(under_way) == b"hello"
    await until(lambda: not backend.writers, "the other one is closed")


# Limits


async def test_beyond_the_limit_requests_wait_in_order(upstreams, backend):
    servers = await upstreams(backend.url, max_connections=2)
    done: list[int] = []

    async def visit(number):
        await ask(servers)
        done.append(number)

    async with servers.lease(), servers.lease():
        visits = []
        for number in range(5):
            visits.append(asyncio.create_task(visit(number)))
            await asyncio.sleep(0)
        assert servers.state()[0].in_flight == 2
    await asyncio.gather(*visits)
    assert done == sorted(done)
    assert servers.state()[0].in_flight == 0


async def test_who_waits_too_long_for_a_connection_is_told(upstreams, backend):
    servers = await upstreams(backend.url, max_connections=1, connect_timeout_s=0.05)
    async with servers.lease():
        with pytest.raises(BackendTimeout, match="in use"):
            await ask(servers)
    assert await ask(servers) == (b"hello", True)


async def test_who_gives_up_waiting_takes_no_turn_from_those_behind(upstreams, backend):
    servers = await upstreams(backend.url, max_connections=1)
    async with servers.lease():
        waiting = [asyncio.create_task(ask(servers)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    # The slot is handed to the next in line, who is cancelled at that very moment.
    waiting[1].cancel()
    assert await waiting[2] == (b"hello", True)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    assert await ask(servers) == (b"hello", True)


@pytest.mark.parametrize("moment", ["connecting", "within"])
async def test_a_cancelled_request_gives_everything_back(upstreams, backend, moment):
    async def never(_host):
        await asyncio.Event().wait()

    backend.act = hang
    url = backend.url if moment == "within" else backend.url.replace("127.0.0.1", "app.test")
    servers = await upstreams(url, max_connections=1, resolve=never)
    request = asyncio.create_task(ask(servers))
    await until(lambda: backend.requests if moment == "within" else servers.state()[0].in_flight, "it is on its way")
    request.cancel()
    with suppress(asyncio.CancelledError):
        await request
    assert servers.state()[0].in_flight == 0
    assert not servers._free.locked()


# A choice of servers


async def test_requests_are_spread_and_what_is_under_way_counts(upstreams, stack):
    backends = [await stack.enter_async_context(running(named(name))) for name in "abc"]
    servers = await upstreams(*(backend.url for backend in backends))
    seen = Counter([(await ask(servers))[0] for _ in range(9)])
    assert seen == {b"a": 3, b"b": 3, b"c": 3}
    async with servers.lease() as first, servers.lease() as second:
        left = {server.name for server in servers._servers} - {first.server.name, second.server.name}
        async with servers.lease() as third:
            assert {third.server.name} == left


async def test_a_server_that_refuses_is_passed_over_rests_and_returns(upstreams, stack, clock, caplog):
    caplog.set_level(logging.INFO)
    a, b = named("a"), named("b")
    await stack.enter_async_context(running(b))
    async with running(a):
        servers = await upstreams(a.url, b.url, rest_s=5, slow_start_s=0)
        assert {(await ask(servers))[0] for _ in range(2)} == {b"a", b"b"}
    await until(lambda: servers.state()[0].idle == 0, "its death is seen")
    assert [(await ask(servers))[0] for _ in range(6)] == [b"b"] * 6
    assert servers.state()[0].resting
    assert len(said(caplog, "rests")) == 1
    async with running(a):
        assert [(await ask(servers))[0] for _ in range(4)] == [b"b"] * 4
        clock.now_s += 5
        assert Counter([(await ask(servers))[0] for _ in range(6)]) == {b"a": 3, b"b": 3}
        assert not servers.state()[0].resting
        assert len(said(caplog, "is back")) == 1


async def test_each_server_is_tried_once_and_then_it_is_a_bad_gateway(upstreams, caplog):
    names = ("http://127.0.0.1:9", "http://127.0.0.2:9", "unix:/nowhere/app.sock")
    servers = await upstreams(*names)
    with pytest.raises(BackendError, match="no server of the backend could be reached") as caught:
        await ask(servers)
    assert caught.value.kind == "bad_gateway"
    assert sorted(record.server for record in said(caplog, "rests")) == sorted(names)
    assert [state.failures for state in servers.state()] == [1, 1, 1]


async def test_where_time_ran_out_at_every_server_it_is_a_gateway_timeout(upstreams):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Its kernel takes the connection, and nobody ever says hello.
        servers = await upstreams(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_s=0.05)
        with pytest.raises(BackendTimeout, match="in time"):
            await ask(servers)
        # One that refuses, and it is no longer a matter of time.
        mixed = await upstreams("http://127.0.0.1:9", *servers._settings.servers, connect_timeout_s=0.05)
        with pytest.raises(BackendError) as caught:
            await ask(mixed)
        assert caught.value.kind == "bad_gateway"


async def test_an_only_server_is_tried_however_often_it_failed(upstreams, backend):
    async with running(Backend()) as gone:
        servers = await upstreams(gone.url)
    for _ in range(5):
        with pytest.raises(BackendError):
            await ask(servers)
    assert servers.state()[0].resting
    async with running(gone):
        assert await ask(servers) == (b"hello", False)
        assert not servers.state()[0].resting


async def test_failed_requests_send_a_server_to_rest_and_close_what_it_kept(upstreams, stack):
    a, b = [await stack.enter_async_context(running(named(name))) for name in "ab"]
    servers = await upstreams(a.url, b.url, passive_fails=3, balance="round_robin")
    await ask(servers)
    failed = 0
    while failed < 3:
        async with servers.lease(idle_s=0) as lease:
            if lease.server.name == a.url:
                lease.failed()
                failed += 1
    assert servers.state()[0].resting
    assert servers.state()[0].idle == 0
    assert {(await ask(servers))[0] for _ in range(6)} == {b"b"}


async def test_only_one_request_at_a_time_tries_a_server_after_its_rest(upstreams, stack, clock):
    a, b = [await stack.enter_async_context(running(named(name))) for name in "ab"]
    servers = await upstreams(a.url, b.url, rest_s=5)
    resting = servers._servers[0]
    resting.failed(resting.health.begin(clock()), "test", refused=True)
    clock.now_s += 5
    for _ in range(2):
        # Nothing is said of the trial: then another one follows.
        async with servers.lease() as one, servers.lease() as two, servers.lease() as three:
            names = [lease.server.name for lease in (one, two, three)]
        assert names.count(a.url) == 1


async def test_a_host_of_the_settings_comes_with_the_lease(upstreams, backend):
    async with (await upstreams(backend.url)).lease() as lease:
        assert lease.server.host is None
    async with (await upstreams(backend.url, host="app.internal")).lease() as lease:
        assert lease.server.host == "app.internal"


async def test_a_unix_socket_is_a_server_too(upstreams, stack, tmp_path):
    path = tmp_path / "app.sock"
    await stack.enter_async_context(listening(named("unix"), path=path))
    servers = await upstreams(f"unix:{path}")
    assert [await ask(servers) for _ in range(2)] == [(b"unix", False), (b"unix", True)]


# Names


@dataclass
class Dns:
    """What the resolver would say. asked: how often."""

    addresses: list[str] = field(default_factory=list)
    asked: int = 0

    async def __call__(self, host: str) -> list[str]:
        assert host == "app.test"
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return list(self.addresses)

    async def until_asked(self, times: int) -> None:
        await until(lambda: self.asked == times, f"asked {times} times")


@pytest.fixture
async def two(stack):
    """One port on 127.0.0.1 ("one") and on 127.0.0.2 ("two")."""
    port = await stack.enter_async_context(listening(named("one")))
    await stack.enter_async_context(listening(named("two"), host="127.0.0.2", port=port))
    return f"http://app.test:{port}"


async def test_a_name_that_moved_is_followed_and_old_connections_are_left(upstreams, two, clock):
    dns = Dns(["127.0.0.1"])
    servers = await upstreams(two, resolve=dns, dns_refresh_s=10)
    assert await ask(servers) == (b"one", False)
    dns.addresses = ["127.0.0.2"]
    assert await ask(servers) == (b"one", True)
    clock.now_s += 10
    # A new connection begins the look, and does not wait for it.
    assert await ask(servers, idle_s=0) == (b"one", False)
    await until(lambda: servers._servers[0]._addresses.known == ("127.0.0.2",), "the name is looked up anew")
    assert servers.state()[0].idle == 0
    assert [await ask(servers) for _ in range(2)] == [(b"two", False), (b"two", True)]
    assert dns.asked == 2


async def test_a_name_is_followed_though_every_request_finds_a_kept_connection(upstreams, two, clock, monkeypatch):
    monkeypatch.setattr("gateway.edge.proxy.servers.TIDY_S", 0.01)
    dns = Dns(["127.0.0.1"])
    servers = await upstreams(two, resolve=dns, dns_refresh_s=10, start=True)
    await ask(servers)
    dns.addresses = ["127.0.0.2"]
    clock.now_s += 10
    await dns.until_asked(2)
    await until(lambda: servers.state()[0].idle == 0, "the old address is left")
    assert await ask(servers) == (b"two", False)


async def test_a_name_that_cannot_be_resolved_for_a_while_keeps_its_addresses(upstreams, two, clock, caplog):
    dns = Dns(["127.0.0.1"])
    servers = await upstreams(two, resolve=dns, dns_refresh_s=10)
    await ask(servers)
    dns.addresses = []
    for looks in range(2, 5):
        clock.now_s += 10
        assert (await ask(servers, idle_s=0))[0] == b"one"
        await dns.until_asked(looks)
    assert len(said(caplog, "cannot be resolved")) == 1


async def test_a_name_never_resolved_is_asked_for_at_each_request_and_once_for_all_who_wait(upstreams, two):
    dns = Dns([])
    servers = await upstreams(two, resolve=dns)
    results = await asyncio.gather(*(ask(servers) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, BackendError) for result in results)
    assert dns.asked == 1
    dns.addresses = ["127.0.0.1"]
    assert (await ask(servers))[0] == b"one"


async def test_a_name_nobody_answers_for_takes_no_longer_than_a_connection_may(upstreams, two):
    async def never(_host):
        await asyncio.Event().wait()

    servers = await upstreams(two, resolve=never, connect_timeout_s=0.05)
    with pytest.raises(BackendTimeout):
        await ask(servers)


async def test_all_addresses_are_used_in_turn_and_one_out_of_reach_does_not_make_the_server_so(upstreams, two, clock):
    dns = Dns(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
    servers = await upstreams(two, resolve=dns)
    assert {(await ask(servers, idle_s=0))[0] for _ in range(6)} == {b"one", b"two"}
    assert servers.state()[0].failures == 0
    # Until the next look, what is out of reach is not knocked at first.
    addresses = servers._servers[0]._addresses
    assert {(await addresses.in_turn())[-1] for _ in range(6)} == {"127.0.0.3"}
    clock.now_s += 60
    addresses.refresh()
    await dns.until_asked(2)
    assert {(await addresses.in_turn())[-1] for _ in range(6)} == set(dns.addresses)


async def test_an_address_that_hangs_leaves_time_for_the_others(upstreams, stack, authority):
    port = await stack.enter_async_context(listening(named("two"), host="127.0.0.2", tls=authority.server("app.test")))
    # TLS towards an address that takes connections and is silent.
    with socket.create_server(("127.0.0.1", port)):
        servers = await upstreams(
            f"https://app.test:{port}",
            resolve=Dns(["127.0.0.2", "127.0.0.1"]),
            tls_ca_file=authority.file,
            connect_timeout_s=2,
        )
        assert [(await ask(servers, idle_s=0))[0] for _ in range(2)] == [b"two", b"two"]


# TLS


class Authority:
    """A CA of its own, that vouches for whomever it is told to. file: its certificate."""

    def __init__(self, folder, name="Test CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        built = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        built = built.add_extension(usage, critical=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, host: str) -> ssl.SSLContext:
        """What a server needs to be `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        built = self._builder(subject, key).add_extension(x509.SubjectAlternativeName([name]), critical=False)
        file = self._folder / f"{host}.pem"
        file.write_bytes(
            built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _builder(self, subject, key) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def secure(stack, authority):
    """Start an https server that is `certified` for a host; its URL, the names it was asked for by SNI, its backend."""

    async def start(certified: str):
        backend, asked, context = Backend(), [], authority.server(certified)
        context.sni_callback = lambda _socket, name, _context: asked.append(name)
        port = await stack.enter_async_context(listening(backend, tls=context))
        return f"https://localhost:{port}", asked, backend

    return start


async def test_a_server_with_a_good_certificate_is_spoken_to_and_told_its_name(upstreams, secure, authority):
    url, asked, _ = await secure("localhost")
    servers = await upstreams(url, tls_ca_file=authority.file)
    assert [await ask(servers) for _ in range(2)] == [(b"hello", False), (b"hello", True)]
    assert asked == ["localhost"]


async def test_a_certificate_may_be_for_an_address(upstreams, secure, authority):
    url, asked, _ = await secure("127.0.0.1")
    servers = await upstreams(url.replace("localhost", "127.0.0.1"), tls_ca_file=authority.file)
    assert (await ask(servers))[0] == b"hello"
    assert asked == [None], "an address is no server name"


async def test_the_name_to_ask_and_look_for_can_be_another(upstreams, secure, authority):
    url, asked, _ = await secure("app.internal")
    servers = await upstreams(url, tls_ca_file=authority.file, tls_server_name="app.internal")
    assert (await ask(servers))[0] == b"hello"
    assert asked == ["app.internal"]


@pytest.mark.parametrize(
    ("certified", "settings", "reason"),
    [
        ("app.internal", {}, "Hostname mismatch"),
        ("localhost", {"tls_server_name": "app.internal"}, "Hostname mismatch"),
        ("localhost", {"tls_ca_file": None}, "unable to get local issuer certificate"),
    ],
)
async def test_a_server_that_cannot_prove_who_it_is_gets_nothing_and_is_named(
    upstreams, secure, authority, caplog, certified, settings, reason
):
    url, _, backend = await secure(certified)
    servers = await upstreams(url, **{"tls_ca_file": authority.file, **settings})
    for _ in range(3):
        with pytest.raises(BackendError) as caught:
            await ask(servers)
        assert caught.value.kind == "bad_gateway"
    assert backend.requests == []
    (line,) = said(caplog, "rests")
    assert (line.server, reason in line.why) == (url, True)


async def test_unchecked_certificates_are_taken_and_complained_about(upstreams, secure, caplog):
    url, _, _ = await secure("app.internal")
    servers = await upstreams(url, tls_verify=False, start=True)
    assert (await ask(servers))[0] == b"hello"
    assert said(caplog, "NOT checked")


@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=rf"upstream\.tls_ca_file: {file}: "):
        tls_context(Upstream(servers=("https://app.test",), tls_ca_file=file))


def test_what_speaks_tls_speaks_none_older_than_1_2(authority):
    context = tls_context(Upstream(servers=("https://app.test",), tls_ca_file=authority.file))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(Upstream(servers=("http://app.test",))) is None


# Active checks


@dataclass
class Well:
    """A backend whose health is as told: its act. status: of the answer to the check."""

    status: str = "200 OK"
    checks: list[tuple[str | None, str | None]] = field(default_factory=list)

    async def __call__(self, request, writer):
        if request.target == "/healthz?deep":
            self.checks.append((request.one("Host"), request.one("Connection")))
            writer.write(answer(b"", status=self.status))
        elif request.target == "/slow":
            await hang(request, writer)
        else:
            writer.write(answer(b"well"))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("200 OK", Verdict.GOOD),
        ("204 No Content", Verdict.GOOD),
        ("399 Fine", Verdict.GOOD),
        ("400 Bad Request", Verdict.BAD),
        ("500 Oops", Verdict.BAD),
        ("502 Bad Gateway", Verdict.BAD),
        ("503 Service Unavailable", Verdict.DRAIN),
    ],
)
async def test_the_final_status_is_the_verdict(upstreams, backend, status, verdict):
    backend.reply = b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"", status=status)
    settings = Upstream(servers=(backend.url,), health_path="/")
    (server,) = (await upstreams(backend.url))._servers
    assert await look(server, settings) == (verdict, f"the check was answered {status[:3]}")


async def test_a_check_lets_the_server_finish(upstreams, backend):
    cut: list[bool] = []

    async def slowly(request, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwe")
        await asyncio.sleep(0.05)
        cut.append(request.reader.at_eof())
        writer.write(b"ll")

    backend.act = slowly
    (server,) = (await upstreams(backend.url))._servers
    verdict, _ = await look(server, Upstream(servers=(backend.url,), health_path="/", health_timeout_s=15))
    assert (verdict, cut) == (Verdict.GOOD, [False])


CHECKED = {
    "health_path": "/healthz?deep",
    "health_interval_s": 0.01,
    "health_rise": 2,
    "health_fall": 2,
    "start": True,
    "slow_start_s": 0,
}


@pytest.fixture
async def pair(stack):
    """A server with checks ("well", and what it says of itself), and another that is always well ("other")."""
    well = Well()
    first = await stack.enter_async_context(running(Backend(act=well)))
    second = await stack.enter_async_context(running(named("other")))
    return well, first, second


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "503 Service Unavailable"])
async def test_a_server_that_says_it_is_not_well_gets_nothing_until_it_says_it_is(upstreams, pair, caplog, status):
    caplog.set_level(logging.INFO)
    well, first, second = pair
    servers = await upstreams(first.url, second.url, **CHECKED)
    await until(lambda: len(well.checks) > 2, "it is checked")
    assert {(await ask(servers))[0] for _ in range(4)} == {b"well", b"other"}
    well.status = status
    await until(lambda: not servers.state()[0].healthy, "it goes down")
    assert servers.state()[0].idle == 0
    assert {(await ask(servers))[0] for _ in range(4)} == {b"other"}
    well.status = "302 Found"
    await until(lambda: servers.state()[0].healthy, "it comes up")
    assert {(await ask(servers))[0] for _ in range(4)} == {b"well", b"other"}
    (down,) = said(caplog, "gets no requests")
    assert (down.server, down.why) == (first.url, f"the check was answered {status[:3]}")
    assert len(said(caplog, "healthy again")) == 1


async def test_what_is_under_way_at_a_server_that_drains_finishes(upstreams, pair):
    well, first, _ = pair
    servers = await upstreams(first.url, **CHECKED)
    async with servers.lease() as lease:
        well.status = "503 Service Unavailable"
        await until(lambda: not servers.state()[0].healthy, "it drains")
        assert await exchange(lease) == b"well"
    assert servers.state()[0].idle == 0


async def test_where_no_server_is_well_the_unwell_are_used(upstreams, pair):
    well, first, _ = pair
    well.status = "500 Oops"
    servers = await upstreams(first.url, **CHECKED)
    await until(lambda: not servers.state()[0].healthy, "it goes down")
    assert (await ask(servers))[0] == b"well"


async def test_a_check_has_a_connection_of_its_own_and_the_servers_name(upstreams, pair):
    well, first, _ = pair
    servers = await upstreams(first.url, max_connections=1, **CHECKED)
    async with servers.lease():
        seen = len(well.checks)
        await until(lambda: len(well.checks) > seen + 2, "it is checked though the limit is reached")
    assert set(well.checks) == {(f"127.0.0.1:{first.port}", "close")}
    well.checks.clear()
    await servers.close()
    other = await upstreams(first.url, host="app.internal", **CHECKED)
    await until(lambda: well.checks, "it is checked")
    assert well.checks[0] == ("app.internal", "close")
    assert other.state()[0].healthy


@pytest.mark.parametrize("fault", ["silent", "nonsense", "gone"])
async def test_a_server_that_does_not_answer_its_check_goes_down(upstreams, stack, fault, caplog):
    backend = Backend(reply=b"who is there?\r\n\r\n", act=hang if fault == "silent" else None)
    async with AsyncExitStack() as here:
        await (here if fault == "gone" else stack).enter_async_context(running(backend))
    servers = await upstreams(backend.url, health_timeout_s=0.05, **CHECKED)
    await until(lambda: not servers.state()[0].healthy, "it goes down")
    why = {"silent": "too long", "nonsense": "cannot be parsed", "gone": "Connect call failed"}[fault]
    assert why in said(caplog, "gets no requests")[0].why


# Settings


@pytest.mark.parametrize(
    ("text", "authority_of", "tls"),
    [
        ("http://127.0.0.1:8090", "127.0.0.1:8090", False),
        ("http://app.internal/", "app.internal", False),
        ("https://App_1.internal", "app_1.internal", True),
        ("https://app.internal:8443", "app.internal:8443", True),
        ("http://app.internal:443", "app.internal:443", False),
        ("http://[::1]:8090", "[::1]:8090", False),
        ("unix:/run/app.sock", "localhost", False),
    ],
)
def test_an_origin_says_where_and_how(text, authority_of, tls):
    origin = parse_origin(text)
    assert (origin.authority, origin.tls) == (authority_of, tls)


@pytest.mark.parametrize(
    "entry",
    [
        "127.0.0.1:8090",
        "ftp://app",
        "http://",
        "http://app/path",
        "http://app?x",
        "http://user@app",
        "http://app:0",
        "http://app:65536",
        "http://app:",
        "http://app:80\n",
        "http://300.1.1.1",
        "http://1.2.3",
        "http://[::1",
        "http://[1:2]",
        "http://a..b",
        f"http://{'a' * 64}.test",
        "http://예약.test",
        "unix:run/app.sock",
        f"unix:/{'a' * 107}",
        "unix:/run/app\n.sock",
    ],
)
def test_an_entry_that_is_no_server_is_named(entry):
    with pytest.raises(ValidationError) as caught:
        Upstream(servers=("http://fine.test", entry))
    assert repr(entry) in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"servers": ("http://a.test", "http://A.test:80/")},
        {"tls_verify": False},
        {"tls_server_name": "a.test"},
        {"servers": ("https://a.test",), "tls_server_name": "a.test:443"},
        {"host": "a.test\r\nX: y"},
        {"host": "http://a.test"},
        {"host": ""},
        {"health_path": "healthz"},
        {"health_path": "/a b"},
        {"health_path": "/a#b"},
        {"health_path": "/a\r\nX: y"},
        {"balance": "random"},
        {"rest_s": 61},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        Upstream(**{"servers": ("http://a.test",), **wrong})
