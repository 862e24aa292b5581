"""TLS on the visitors' listener, with real handshakes on both event loops."""

import asyncio
import logging
import shutil
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives import serialization

from gateway import keys
from gateway.app import serve
from gateway.edge import certificate
from gateway.edge.certificate import Certificate, CertificateProblem, load
from gateway.edge.tests.backend import PATIENCE_S, Backend, running, until
from gateway.edge.tests.front import BROWSER, ROOM, TOKEN, Connection
from gateway.edge.tests.tls.certificates import DAY, HOST, client_context, serial_of, write
from gateway.settings import Settings

GET = "".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", f"Host: {HOST}", *map(": ".join, BROWSER.items()), ""))


@pytest.fixture
async def backend():
    async with running(Backend()) as made:
        yield made


@pytest.fixture
def quick(monkeypatch):
    """Looks at the files without delay, and little patience for handshakes."""
    monkeypatch.setattr(certificate, "LOOK_S", 0.01)
    monkeypatch.setattr(certificate, "HANDSHAKE_S", 0.3)


@asynccontextmanager
async def serving(folder, backend):
    """A worker whose visitors come by TLS; its port."""
    keys.create(folder / "keys.json")
    settings = Settings.model_validate(
        {
            "gateway": {
                "keys_file": str(folder / "keys.json"),
                "audit_log": None,
                "history_file": None,
                "store": f"sqlite:///{folder}/queue.db",
                "tls_certificate": str(folder / "cert.pem"),
                "tls_key": str(folder / "key.pem"),
                "drain_s": 0.1,
            },
            "upstream": {"servers": [backend.url]},
            "room": [ROOM],
        }
    )
    with socket.create_server(("127.0.0.1", 0)) as visitors, socket.create_server(("127.0.0.1", 0)) as operators:
        ready, stop = asyncio.Event(), asyncio.Event()
        for each in (visitors, operators):
            each.setblocking(False)
        task = asyncio.create_task(
            serve(settings, visitors, operators, operator_token=TOKEN, ready=ready.set, stop=stop)
        )
        try:
            await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            yield visitors.getsockname()[1]
        finally:
            stop.set()
            await task


async def connect(port, *, name=HOST, **more) -> Connection:
    context = client_context(**more)
    return Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))


def tls_of(connection: Connection) -> ssl.SSLObject:
    made: ssl.SSLObject = connection.writer.get_extra_info("ssl_object")
    return made


async def shown_to_a_newcomer(port, **more) -> int:
    connection = await connect(port, **more)
    try:
        return serial_of(tls_of(connection))
    finally:
        await connection.close()


async def changes_to(port, serial) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await shown_to_a_newcomer(port) != serial:
            pass


async def test_a_visitor_by_tls_gets_in_and_the_backend_is_told_https(tmp_path, backend):
    serial = write(tmp_path)
    async with serving(tmp_path, backend) as port:
        connection = await connect(port)
        assert serial_of(tls_of(connection)) == serial
        await connection.send(GET.encode())
        answer = await connection.answer()
        await connection.close()
    assert (answer.status, answer.body, answer.gate) == (200, b"hello", None)
    assert backend.last.one("X-Forwarded-Proto") == "https"
    assert backend.last.one("X-Forwarded-For") == "127.0.0.1"


async def test_cookies_are_secure_and_bound_to_the_host(tmp_path, backend):
    write(tmp_path)
    async with serving(tmp_path, backend) as port:
        connection = await connect(port)
        for _ in range(2):  # the first gets the seat, the second a place in line
            await connection.send(GET.encode())
            answer = await connection.answer()
            assert answer.set_cookies
            for line in answer.all("Set-Cookie"):
                assert line.startswith("__Host-sunbeon_")
                assert line.endswith("; Secure")
        await connection.close()


async def test_only_http_1_1_is_offered_and_nothing_older_than_tls_1_2(tmp_path, backend):
    write(tmp_path)
    async with serving(tmp_path, backend) as port:
        connection = await connect(port, alpn=("h2", "http/1.1"))
        assert tls_of(connection).selected_alpn_protocol() == "http/1.1"
        assert tls_of(connection).version() == "TLSv1.3"
        await connection.close()

        old = client_context()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        await Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=old)).close()
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError, match=r"(?i)protocol|reset|^$"):
            await asyncio.open_connection("127.0.0.1", port, ssl=old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", [HOST, "127.0.0.1"], ids=["named", "unnamed"])
async def test_a_renewed_certificate_is_shown_to_newcomers_while_earlier_connections_go_on(
    tmp_path, backend, quick, version, name
):
    """Unnamed: an IP address is no server name, so the client's first word names no host."""
    first = write(tmp_path)
    async with serving(tmp_path, backend) as port:
        earlier = await connect(port)
        assert serial_of(tls_of(earlier)) == first
        second = write(tmp_path, rsa_key=True)
        await changes_to(port, second)

        context = client_context(alpn=("h2", "http/1.1"))
        context.minimum_version = context.maximum_version = version
        newcomer = Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))
        assert serial_of(tls_of(newcomer)) == second
        assert tls_of(newcomer).selected_alpn_protocol() == "http/1.1"
        for connection in (earlier, newcomer):
            await connection.send(GET.encode())
            assert (await connection.answer()).status == 200
            await connection.close()


async def test_files_that_cannot_be_used_leave_the_certificate_before_them_and_are_logged_once(
    tmp_path, backend, quick, caplog
):
    caplog.set_level(logging.INFO)
    first = write(tmp_path)
    async with serving(tmp_path, backend) as port:
        (tmp_path / "other").mkdir()
        write(tmp_path / "other")
        shutil.copy(tmp_path / "other" / "key.pem", tmp_path / "key.pem")
        await until(lambda: told(caplog), "the gateway says that the key does not belong to the certificate")
        assert await shown_to_a_newcomer(port) == first
        await asyncio.sleep(0.1)  # ten more looks
        (entry,) = told(caplog)
        assert "is not the key of" in entry.why

        shutil.copy(tmp_path / "other" / "cert.pem", tmp_path / "cert.pem")
        await until(lambda: "the certificate was read again" in caplog.text, "the certificate is taken up")
        assert await shown_to_a_newcomer(port) != first
        assert len(told(caplog)) == 1


def told(caplog):
    return [record for record in caplog.records if "cannot be used" in record.message]


async def test_plain_http_on_the_tls_port_gets_no_page_and_harms_nobody(tmp_path, backend, caplog):
    caplog.set_level(logging.WARNING)
    write(tmp_path)
    async with serving(tmp_path, backend) as port:
        good = await connect(port)
        for noise in (GET.encode(), b"\0" * 500, b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b""):
            plain = await Connection.open(port)
            await plain.send(noise)
            plain.writer.write_eof()
            assert b"HTTP/" not in await plain.rest()
            await plain.close()
        await good.send(GET.encode())
        assert (await good.answer()).status == 200
        await good.close()
    assert len(backend.requests) == 1
    assert caplog.records == []  # anyone could fill a disk with them


async def test_a_handshake_that_never_ends_is_closed(tmp_path, backend, quick, caplog):
    caplog.set_level(logging.WARNING)
    write(tmp_path)
    async with serving(tmp_path, backend) as port:
        for begun in (b"", b"\x16\x03\x01\x02\x00\x01"):
            silent = await Connection.open(port)
            await silent.send(begun)
            assert await silent.rest() == b""  # returns when the gateway closes
            await silent.close()
    assert caplog.records == []


async def test_a_client_that_does_not_answer_the_goodbye_is_not_waited_for(tmp_path, backend, monkeypatch):
    monkeypatch.setattr(certificate, "GOODBYE_S", 0.1)
    write(tmp_path)
    async with serving(tmp_path, backend) as port:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(15)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = client_context().wrap_bio(incoming, outgoing)
            await asyncio.to_thread(shake_hands, tls, sock, incoming, outgoing)
            tls.write(GET.replace("\r\n", "\r\nConnection: close\r\n", 1).encode())
            sock.sendall(outgoing.read())
            # We read, but never write again: not even a goodbye.
            received = await asyncio.to_thread(lambda: b"".join(iter(lambda: sock.recv(65_536), b"")))
    assert received


def shake_hands(tls, sock, incoming, outgoing) -> None:
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65_536))
        else:
            sock.sendall(outgoing.read())
            return


def expect(folder, pattern) -> None:
    with pytest.raises(CertificateProblem, match=pattern):
        load(folder / "cert.pem", folder / "key.pem")


def test_a_problem_names_the_file_and_what_is_wrong_with_it(tmp_path):
    expect(tmp_path, r"cert\.pem: cannot be read: No such file")
    write(tmp_path)
    pem = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").unlink()
    expect(tmp_path, r"key\.pem: cannot be read: No such file")
    (tmp_path / "key.pem").mkdir()
    expect(tmp_path, r"key\.pem: cannot be read: Is a directory")
    (tmp_path / "key.pem").rmdir()
    (tmp_path / "key.pem").write_text("nonsense")
    expect(tmp_path, r"key\.pem: holds no private key")
    password = serialization.BestAvailableEncryption(b"secret")
    key = serialization.load_pem_private_key(pem, None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (tmp_path / "key.pem").write_bytes(key.private_bytes(*form, password))
    expect(tmp_path, r"key\.pem: is encrypted")
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "cert.pem").write_bytes(pem)
    expect(tmp_path, r"cert\.pem: holds no certificate")


def test_a_key_of_another_certificate_is_refused(tmp_path):
    write(tmp_path, rsa_key=True)
    certificate_of_another = (tmp_path / "cert.pem").read_bytes()
    write(tmp_path)
    (tmp_path / "cert.pem").write_bytes(certificate_of_another)
    expect(tmp_path, r"key\.pem: is not the key of the first certificate in .*cert\.pem")


def test_certificate_and_key_may_stand_in_one_file(tmp_path):
    write(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "cert.pem").read_bytes() + (tmp_path / "key.pem").read_bytes())
    assert load(both, both).warning is None


@pytest.mark.parametrize(
    ("begins", "ends", "warning"), [(-2 * DAY, -DAY, "expired at"), (DAY, 2 * DAY, "is not valid before")]
)
def test_a_certificate_out_of_its_time_is_served_with_a_warning(tmp_path, caplog, begins, ends, warning):
    write(tmp_path, begins=begins, ends=ends)
    assert warning in str(load(tmp_path / "cert.pem", tmp_path / "key.pem").warning)
    Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    (entry,) = caplog.records
    assert warning in entry.why


def test_files_are_read_only_when_they_have_come_to_rest(tmp_path):
    """Two files are never replaced in one moment: what is half done is no mistake."""
    write(tmp_path)
    served = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert not served.refresh()
    write(tmp_path)
    assert [served.refresh() for _ in range(3)] == [False, True, False]


def test_a_file_that_may_be_read_again_is_taken_up(tmp_path, caplog, monkeypatch):
    """A change of mode, the usual remedy, leaves no trace in a file's time."""
    write(tmp_path)
    served = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    write(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "_read", forbidden)
        assert [served.refresh() for _ in range(3)] == [False, False, False]
    assert served.refresh()
    assert len(told(caplog)) == 1


def forbidden(path):
    raise CertificateProblem(f"{path}: cannot be read: Permission denied")
