"""The operator API as a table: what each operation takes, gives, may refuse, and which role it wants.

Routes, roles and the OpenAPI document come from it. A module with routes has its own `OPERATIONS`; `api.py` joins them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from gateway.tokens import Role
from shared.wire import PROBLEM_JSON

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Parameter = Mapping[str, Any]

_MODELS: Final = "#/components/schemas/{model}"
JSON: Final = "application/json"
ANY: Final = "*/*"

IF_MATCH: Final[Parameter] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the room as you saw it: nothing is changed if somebody else was faster (412).",
    "schema": {"type": "string", "pattern": '^(\\*|"?[0-9]{1,18}"?)$'},
}
IF_MATCH_NEEDED: Final[Parameter] = {**IF_MATCH, "required": True}


class Problem(BaseModel):
    """Why not (RFC 9457). title: in a line. problems: each by itself; other fields as the operation says."""

    model_config = ConfigDict(extra="allow")

    type: str
    status: int
    title: str
    problems: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Operation:
    """role: None for an operation that is open to all. status: of success. answer: as JSON; None: of another kind.

    refuses: by status, why; beside those that any operation of its form has.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    role: Role | None
    answer: type[BaseModel] | None
    status: int = 200
    kind: str = JSON
    body: type[BaseModel] | None = None
    parameters: Sequence[Parameter] = ()
    refuses: Mapping[int, str] = field(default_factory=dict)
    more: Mapping[int, type[BaseModel]] = field(default_factory=dict)

    @property
    def refusals(self) -> dict[int, str]:
        """By status, why; whatever operation it is."""
        found = {503: "the store is out of reach: nothing was changed"}
        if self.role is not None:
            found |= {401: "no token that counts", 403: f"takes the role {self.role}", 429: "too many wrong tokens"}
        if "{room}" in self.path:
            found[404] = "no such room"
        if self.body is not None:
            found |= {
                400: "the body is not JSON",
                408: "the body did not come whole in time",
                413: "the body is too long",
                415: "send application/json",
                422: "the body is not as it must be",
            }
        if IF_MATCH in self.parameters or IF_MATCH_NEEDED in self.parameters:
            found |= {
                400: "not JSON, or `If-Match` is no ETag",
                412: "somebody else was faster; `changed` says in what",
            }
        for status, why in self.refuses.items():
            found[status] = f"{found[status]}; {why}" if status in found else why
        return found


def in_path(name: str, text: str, **schema: Any) -> Parameter:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string", **schema}}


def in_query(name: str, text: str, *, required: bool = False, **schema: Any) -> Parameter:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": text,
        "schema": {"type": "string", **schema},
    }


def roles(operations: Sequence[Operation]) -> dict[tuple[str, str], Role | None]:
    """What each route takes."""
    return {(one.method, one.path): one.role for one in operations}


def document(operations: Sequence[Operation], *, rooms: Sequence[str], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document. rooms: those there are."""
    answers = {model for one in operations for model in (one.answer, *one.more.values()) if model is not None}
    bodies = {one.body for one in operations if one.body is not None}
    # By name, so that the document is the same every time.
    ordered = sorted(answers | bodies | {Problem}, key=lambda model: model.__name__)
    found, shared_part = models_json_schema(
        [(model, "validation" if model in bodies else "serialization") for model in ordered], ref_template=_MODELS
    )
    schemas = {model.__name__: schema for (model, _), schema in found.items()}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _told(one, schemas, rooms)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sunbeon operator API", "version": version},
        "paths": paths,
        "components": {
            "schemas": dict(shared_part.get("$defs", {})),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _told(one: Operation, schemas: Mapping[str, Any], rooms: Sequence[str]) -> dict[str, Any]:
    def answer(model: type[BaseModel] | None, kind: str, why: str) -> dict[str, Any]:
        # Files are of any kind, some of them JSON.
        other = {} if kind == ANY else {"type": "string"}
        schema = other if model is None else schemas[model.__name__]
        return {"description": why, "content": {kind: {"schema": schema}}}

    told: dict[str, Any] = {
        "operationId": one.handler.__name__.strip("_"),
        "summary": one.summary,
        "x-role": one.role,
        "responses": {str(one.status): answer(one.answer, one.kind, one.summary)}
        | {str(status): answer(model, JSON, model.__doc__ or "") for status, model in one.more.items()}
        | {str(status): answer(Problem, PROBLEM_JSON, why) for status, why in sorted(one.refusals.items())},
    }
    parameters = list(one.parameters)
    if "{room}" in one.path:
        parameters.insert(0, in_path("room", "The room.", enum=list(rooms)))
    if parameters:
        told["parameters"] = parameters
    if one.role is None:
        told["security"] = []
    if one.body is not None:
        content = {JSON: {"schema": schemas[one.body.__name__]}}
        told["requestBody"] = {"required": True, "content": content}
    return told
