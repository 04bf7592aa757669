"""Generates `/openapi.json` from the routes, the models and the tables."""

import asyncio
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from app.base.outcome import ANSWERS
from app.web.http.errors import REFUSALS, TITLES
from app.web.http.request import ApiRequest, Query, as_json
from app.web.http.routing import Described, Stream, roles_with, route
from app.web.http.schemas.base import ProblemResponse
from app.web.http.schemas.deliveries import AnsweredResponse

JSON, PROBLEM = "application/json", "application/problem+json"
Schema = dict[str, Any]
_REF = "#/components/schemas/{model}"

_ABOUT = """Receives signed webhooks from shops, proves them, and turns each into an order on a contact, exactly once.

Times are ISO 8601 in UTC; money is a decimal string with the currency's own number of decimals. Unknown fields and parameters
are an error. Errors are problems (RFC 9457) with a stable `code`. Lists are read by `next_cursor`, which is the next page's
`cursor`. The token decides account, member and role. `POST` takes an `Idempotency-Key`: the same key again gives the same answer,
and nothing is done a second time.
"""


def described(routes: Iterable[BaseRoute]) -> list[Described]:
    """Return the routes to document: those that say what they return, except the operator's."""
    return [route for route in routes if isinstance(route, Described) and not route.description.operator]


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes and of the webhook URL."""
    told = described(routes)
    schemas = SchemaCollection(told)
    paths: dict[str, dict[str, Any]] = {"/webhooks/{source_id}": {"post": _webhook(schemas)}}
    tags: dict[str, str] = {"webhooks": "Where shops deliver. No token: the signature is the proof."}
    responses: dict[str, Schema] = {}
    for one in told:
        tag = noun(one.path)
        tags.setdefault(tag, _first_line(sys.modules[one.description.handler.__module__].__doc__))
        for method in sorted((one.methods or set()) - {"HEAD"}):
            paths.setdefault(one.path, {})[method.lower()] = _operation(one, method, tag, schemas, responses)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders Registry",
            "version": version("orders-registry"),
            "summary": "Orders of every shop, on the contact they belong to",
            "description": _ABOUT,
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": words} for name, words in tags.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token that an admin made."}
            },
            "responses": responses,
            "schemas": schemas.named,
        },
    }


def noun(path: str) -> str:
    """Return what a path is about: `orders` for `/v1/orders/{order}/history`."""
    steps = path.strip("/").split("/")
    return steps[1].partition(".")[0] if steps[0] == "v1" else "service"


def codes(route: Described, method: str) -> list[str]:
    """Return the codes of the problems that a route can answer with, except our own errors."""
    told = route.description
    if told.anybody and not told.takes:
        return sorted(told.fails)
    may_be = {
        "forbidden": told.permissions,
        "registry_disabled": told.needs_registry,
        "not_found": route.param_convertors,
        "conflict": method != "GET",
        "too_large": told.takes or method == "POST",
    }
    return sorted({"unauthenticated", "invalid", "busy", *told.fails, *(code for code in may_be if may_be[code])})


class SchemaCollection:
    """Generates the JSON schemas of all routes at once, so that each has a unique name.

    `of` has the schema of each model or type, mostly a reference; `named` has what they refer to.
    """

    def __init__(self, routes: list[Described]) -> None:
        wanted: dict[Any, JsonSchemaMode] = {ProblemResponse: "serialization", AnsweredResponse: "serialization"}
        for one in routes:
            told = one.description
            for model in (told.takes, told.query):
                if isinstance(model, type):
                    wanted[model] = "validation"
            if told.gives is not None and not _streams(told.gives):
                wanted[told.gives] = "serialization"
        found, rest = TypeAdapter.json_schemas(
            [(one, mode, TypeAdapter(one)) for one, mode in wanted.items()],
            ref_template=_REF,
            schema_generator=_Untitled,
        )
        named, self.of = _renamed(rest.get("$defs", {}), {key: schema for (key, _), schema in found.items()})
        queries = {one.description.query for one in routes} - {None}
        self._queries = {key: named.pop(_name(self.of[key])) for key in queries if "$ref" in self.of[key]}
        self.named: dict[str, Schema] = dict(sorted(named.items()))

    def parameters(self, query: type[Query] | None) -> list[Schema]:
        """Return a query's fields as parameters."""
        if query is None:
            return []
        schema = self._queries.get(query, self.of[query])
        return [
            _parameter(name, "query", field, required=name in schema.get("required", []))
            for name, field in schema.get("properties", {}).items()
        ]


class _Untitled(GenerateJsonSchema):
    """Leaves out the title per field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _name(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _renamed(named: dict[str, Schema], of: dict[Any, Schema]) -> tuple[dict[str, Schema], dict[Any, Schema]]:
    """Rename generics from pydantic's `Listed_OrderResponse_` to OrderResponseList, and drop titles."""
    names = {name: re.sub(r"^Listed_(\w+)_$", r"\1List", name) for name in named}

    def over(value: Any, *, properties: bool = False) -> Any:
        if isinstance(value, list):
            return [over(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: _REF.format(model=names[_name(value)])
            if key == "$ref" and not properties
            else over(one, properties=key == "properties" and not properties)
            for key, one in value.items()
            if properties or key != "title"
        }

    return {names[name]: over(schema) for name, schema in named.items()}, {key: over(one) for key, one in of.items()}


def _operation(
    route: Described, method: str, tag: str, schemas: SchemaCollection, responses: dict[str, Schema]
) -> Schema:
    told = route.description
    roles = [] if told.anybody else roles_with(told.permissions)
    words = [told.handler.__doc__ or "", f"For {', '.join(roles) or 'anybody, without a token'}."]
    if told.needs_registry:
        words.append("The account's registry must be on.")
    operation: Schema = {
        "operationId": "_".join([method.lower(), *re.findall(r"\w+", route.path)]),
        "tags": [tag],
        "summary": _first_line(told.handler.__doc__),
        "description": "\n\n".join(" ".join(part.split()) for part in words if part),
        "x-roles": roles,
        "parameters": [
            _parameter(name, "path", {"type": "string", "minLength": 1, "maxLength": 255}, required=True)
            for name in route.param_convertors
        ]
        + schemas.parameters(told.query),
        "responses": {},
    }
    if told.anybody:
        operation["security"] = []
    elif method == "POST":
        operation["parameters"].append(_IDEMPOTENCY)
    if told.takes:
        operation["requestBody"] = _request_body(told.takes, schemas)
    for status in (told.status, *told.also):
        operation["responses"][str(status)] = _well(told.gives, status, schemas)
    by_status: dict[int, list[str]] = {}
    for code in codes(route, method):
        by_status.setdefault(TITLES[code][0], []).append(code)
    for status, several in sorted(by_status.items()):
        name = "_or_".join(several)
        responses.setdefault(name, _problem(status, several))
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{name}"}
    return operation


_IDEMPOTENCY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any word of your own, each caller for themselves. The same key with the same request (query and all) gives "
    "the first answer again, but no secret a second time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def _parameter(name: str, where: str, schema: Schema, *, required: bool) -> Schema:
    """Return a parameter. A query has no null, so it is removed from the schema."""
    schema = {key: one for key, one in schema.items() if key != "default" or one is not None}
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        schema.pop("anyOf")
        schema |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    parameter: Schema = {"name": name, "in": where, "required": required, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    return parameter


def _streams(declared: Any) -> tuple[Stream, ...]:
    if isinstance(declared, Stream):
        return (declared,)
    return declared if isinstance(declared, tuple) and all(isinstance(one, Stream) for one in declared) else ()


def _content(declared: Any, schemas: SchemaCollection) -> Schema:
    streams = _streams(declared)
    if not streams:
        return {JSON: {"schema": schemas.of[declared]}}
    # In OpenAPI 3.1 raw bytes have no schema.
    return {one.media_type: {} if one.binary else {"schema": {"type": "string"}} for one in streams}


def _request_body(takes: Any, schemas: SchemaCollection) -> Schema:
    streams = _streams(takes)
    body: Schema = {"content": _content(takes, schemas)}
    if streams:
        body["description"] = "; ".join(one.words for one in streams if one.words)
    body["required"] = bool(streams) or any(field.is_required() for field in takes.model_fields.values())
    return body


def _well(gives: Any, status: int, schemas: SchemaCollection) -> Schema:
    """Return the successful response."""
    streams = _streams(gives)
    words = "; ".join(one.words for one in streams if one.words) or _WELL.get(status, "Done")
    return {"description": words} if gives is None else {"description": words, "content": _content(gives, schemas)}


_WELL = {201: "Made", 202: "Begun", 204: "Done; there is no body"}


def _problem(status: int, several: list[str]) -> Schema:
    """Return the response for a problem with one of these codes."""
    words = "; or ".join(f"`{code}`: {_title(code)}" for code in several)
    answer: Schema = {"description": words}
    if status == 503:
        answer["headers"] = {
            "Retry-After": {
                "description": "Seconds until it is worth another try.",
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    if status == 401 and "unauthenticated" in several:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    shape = {"properties": {"status": {"const": status}, "code": {"enum": several}}}
    answer["content"] = {PROBLEM: {"schema": {"allOf": [{"$ref": _REF.format(model="ProblemResponse")}, shape]}}}
    return answer


def _title(code: str) -> str:
    return TITLES[code][1] if code in TITLES else "The signature is missing, wrong or too old"


def _webhook(schemas: SchemaCollection) -> Schema:
    """Return the webhook URL's operation, from the table of outcomes."""
    well = [outcome for outcome, status in ANSWERS.items() if status == 200]
    shape = {"properties": {"outcome": {"enum": well}}}
    answers: Schema = {
        "200": {
            "description": "Recorded, on disk, and so ours from now on: one of " + ", ".join(well),
            "content": {JSON: {"schema": {"allOf": [schemas.of[AnsweredResponse], shape]}}},
        }
    }
    for outcome, status in ANSWERS.items():
        if status != 200:
            answers[str(status)] = _problem(status, [REFUSALS[outcome][0]])
            answers[str(status)]["description"] += f" (outcome `{outcome}`)"
    return {
        "operationId": "post_webhooks_source_id",
        "tags": ["webhooks"],
        "summary": "Takes one delivery of a source.",
        "description": "Takes one delivery of a source, signed as its platform signs. The exact bytes are what is proven, "
        "so the body is not changed on its way. 200 only once it is on disk; a sender that gets 503 sends again.\n\n"
        "For the source alone: its signature is the proof, and a stranger is told no more than the word.",
        "x-roles": [],
        "security": [],
        "parameters": [_parameter("source_id", "path", {"type": "string", "minLength": 1}, required=True)],
        "requestBody": {
            "description": "Whatever the platform sends, and the headers that it signs with.",
            "content": {JSON: {"schema": {}}},
            "required": False,
        },
        "responses": answers,
    }


def _first_line(words: str | None) -> str:
    return (words or "").strip().partition("\n")[0]


async def openapi(asked: ApiRequest) -> Response:
    """Return this document: every route, what it takes and returns, and who may call it."""
    return Response(await written(asked.request), media_type=JSON, headers={"Cache-Control": "no-cache"})


async def written(request: Request) -> bytes:
    """Return the document of this application, generated once."""
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = as_json(await asyncio.to_thread(document, request.app.routes))
    found: bytes = state.openapi
    return found


ROUTES = [route("GET", "/openapi.json", openapi, None, anybody=True, gives=dict[str, Any])]
