"""Fixtures: each front server before one gateway, for all these tests."""

import pytest

from gateway.edge.tests.tls import certificates
from gateway.tests.front_servers.behind import Behind, backend
from gateway.tests.front_servers.client import Browser
from gateway.tests.front_servers.servers import Caddy, Nginx, program

# Whoever comes from here needs no turn: shows which address the gateway believes in.
PRIVILEGED = "127.0.0.9"
# More than nginx takes where nothing is said (1 MB).
MAX_BODY = 2_000_000


def pytest_collection_modifyitems(items):
    """All in one worker: one gateway serves them."""
    for item in items:
        if item.nodeid.startswith("gateway/tests/front_servers/"):
            item.add_marker(pytest.mark.xdist_group("front_servers"))


@pytest.fixture(scope="package")
def backend_server():
    with backend() as made:
        yield made


@pytest.fixture(scope="package")
def stand(backend_server, tmp_path_factory):
    with Behind(
        tmp_path_factory.mktemp("behind"),
        gateway={"tls": True, "trusted_proxies": ["127.0.0.1/32"], "max_body_bytes": MAX_BODY},
        upstream={"servers": [backend_server.url]},
        room={
            "paths": ["/room"],
            "bypass": [
                {"name": "staff", "reason": "shows whose address is believed", "networks": [f"{PRIVILEGED}/32"]}
            ],
        },
    ) as made:
        yield made


@pytest.fixture(scope="package", params=[Nginx, Caddy], ids=lambda kind: kind.name)
def front(request, stand, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.name)
    certificates.write(folder)
    with request.param(folder, stand.url) as made:
        yield made


@pytest.fixture
def browser(front, show, stand, tmp_path):
    """Makes visitors, each with a cookie jar of their own; nobody is left in the room."""
    show(stand)
    curl = program("curl")
    made: list[Browser] = []

    def make(address: str = "127.0.0.7") -> Browser:
        made.append(Browser(curl, front.port, address, tmp_path / f"jar{len(made)}"))
        return made[-1]

    yield make
    for each in made:
        each.leave()
