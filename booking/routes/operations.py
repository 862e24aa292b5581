"""The API as a table: what each operation takes, gives and can refuse. Routes and the OpenAPI document come from it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from booking import errors
from booking.routes.bodies import Problem
from booking.routes.problems import STATUS
from shared.wire import PASS_HEADER, PROBLEM_JSON

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Parameter = Mapping[str, Any]

_MODELS: Final = "#/components/schemas/{model}"
# What any operation may answer, and why.
_ANYWHERE: Final[Mapping[int, str]] = {
    403: "no pass of the waiting room that counts (`no_pass`), or what this operation says",
    503: "the database is out of reach (`unavailable`): nothing was done, try again",
}
_WITH_BODY: Final[Sequence[type[errors.BookingError]]] = (
    errors.BadBody,
    errors.WrongContentType,
    errors.InvalidFields,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """status: of success. answer: None has no body. refuses: errors beside those any operation has.

    leads_to: operations that take a field of the answer as a parameter of their path: (operation, parameter, field).
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    parameters: Sequence[Parameter] = ()
    refuses: Sequence[type[errors.BookingError]] = ()
    leads_to: Sequence[tuple[str, str, str]] = ()
    guarded: bool = True


def in_path(name: str, text: str) -> Parameter:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def in_query(name: str, text: str, **schema: Any) -> Parameter:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string", **schema}}


def document(operations: Sequence[Operation], *, title: str, version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    models = {each for one in operations for each in (one.body, one.answer) if each is not None} | {Problem}
    # By name, so that the document is the same every time.
    ordered = sorted(models, key=lambda model: model.__name__)
    found, shared_part = models_json_schema(
        [(model, "serialization" if model is Problem else "validation") for model in ordered], ref_template=_MODELS
    )
    schemas = {model.__name__: schema for (model, _), schema in found.items()}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": dict(shared_part.get("$defs", {})),
            "securitySchemes": {"pass": {"type": "apiKey", "in": "header", "name": PASS_HEADER}},
        },
        "security": [{"pass": []}],
    }


def _operation(one: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": one.summary}
    if one.answer is not None:
        success["content"] = {"application/json": {"schema": schemas[one.answer.__name__]}}
    if one.leads_to:
        success["links"] = {
            operation: {"operationId": operation, "parameters": {parameter: f"$response.body#/{field}"}}
            for operation, parameter, field in one.leads_to
        }
    told: dict[str, Any] = {
        "operationId": one.handler.__name__,
        "summary": one.summary,
        "responses": {str(one.status): success} | _refusals(one, schemas),
    }
    if not one.guarded:
        told["security"] = []
    if one.parameters:
        told["parameters"] = list(one.parameters)
    if one.body is not None:
        content = {"application/json": {"schema": schemas[one.body.__name__]}}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _refusals(one: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    if not one.guarded:
        return {}
    codes: dict[int, list[str]] = {status: [] for status in _ANYWHERE}
    if one.body is not None:
        codes[413] = ["too_large"]
    for error in (*(_WITH_BODY if one.body else ()), *one.refuses):
        codes.setdefault(STATUS[error], []).append(error.code)
    return {
        str(status): {
            "description": "; ".join(
                filter(None, [_ANYWHERE.get(status, ""), ", ".join(f"`{name}`" for name in dict.fromkeys(names))])
            ),
            "content": {PROBLEM_JSON: {"schema": schemas["Problem"]}},
        }
        for status, names in sorted(codes.items())
    }
