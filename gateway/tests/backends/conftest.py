"""Fixtures: a gateway before each of the servers, for all these tests."""

import pytest

from gateway.tests.backends.front import Front, gunicorn

HERE = "gateway.tests.backends"


def pytest_collection_modifyitems(items):
    """All in one worker: each server is started once."""
    ours = [item for item in items if item.nodeid.startswith("gateway/tests/backends/")]
    for item in ours:
        item.add_marker(pytest.mark.xdist_group("backends"))
        if "test_browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)


def front_fixture(name, arguments):
    @pytest.fixture(scope="package", name=f"{name}_front")
    def started(tmp_path_factory):
        with Front(tmp_path_factory.mktemp(name), arguments, room={"name": name}) as made:
            yield made

    @pytest.fixture(name=name)
    def shown(request, show):
        made = request.getfixturevalue(f"{name}_front")
        show(made)
        return made

    return started, shown


django_front, django = front_fixture("django", gunicorn(f"{HERE}.django_site:application()"))
dav_front, dav = front_fixture("dav", gunicorn(f"{HERE}.dav_site:application()"))
socketio_front, socketio = front_fixture("socketio", gunicorn(f"{HERE}.socketio_site:application"))
sockets_front, sockets = front_fixture("sockets", [f"{HERE}.socket_server"])
