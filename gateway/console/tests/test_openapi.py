"""The OpenAPI document says what the operator API does: seen by a program that was made to find where such ones lie."""

import re

from gateway.console.api import OPERATIONS, create_app
from gateway.console.tests.test_api import ask
from gateway.tokens import Tokens


async def test_every_route_is_described_and_every_operation_is_served(site):
    told = (await ask(site, "GET", "/api/openapi.json")).json()
    described = {(method.upper(), path) for path, each in told["paths"].items() for method in each}
    routes = create_app([], Tokens(None, "first")).router.routes()
    served = {(route.method, route.resource.canonical) for route in routes if route.resource is not None}
    assert described == {key for key in served if key[0] != "HEAD"}


async def test_it_names_the_rooms_there_are_and_the_role_that_each_operation_takes(site):
    told = (await ask(site, "GET", "/api/openapi.json")).json()
    reset = told["paths"]["/api/rooms/{room}/reset"]["post"]
    assert (reset["parameters"][0]["schema"]["enum"], reset["x-role"]) == (["north", "south"], "admin")
    assert "security" not in reset
    assert told["paths"]["/healthz"]["get"]["security"] == []


def test_operations_have_names_of_their_own():
    names = [one.handler.__name__ for one in OPERATIONS]
    assert sorted(set(names)) == sorted(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
