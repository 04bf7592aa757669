"""Generates `/docs`, the API's reference as one page, from `/openapi.json`."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.web.http.errors import Problem
from app.web.http.openapi import written
from app.web.http.request import ApiRequest
from app.web.http.routing import Stream, route

Schema = dict[str, Any]
_FOLDER = Path(__file__).with_name("docs")
_FILES = {"style.css": "text/css", "filter.js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def page(asked: ApiRequest) -> Response:
    """Show the API's reference: every route, what it takes and returns, who may call it, and an example for curl."""
    state = asked.request.app.state
    if not hasattr(state, "manual"):
        document = json.loads(await written(asked.request))
        state.manual = ReferencePage(document, state.service.settings.webhooks_at).page()
    return Response(state.manual, media_type="text/html", headers=_HEADERS)


async def file(request: Request) -> Response:
    """Return a file of the page."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise Problem("not_found", "there is no such address")
    return Response((_FOLDER / name).read_bytes(), media_type=_FILES[name], headers=_HEADERS)


class ReferencePage:
    """Writes one document as HTML. Every text is escaped where it is inserted; `address` is where the examples send requests."""

    def __init__(self, document: Schema, address: str) -> None:
        self._told, self._address = document, address
        self._schemas: dict[str, Schema] = document["components"]["schemas"]
        self._responses: dict[str, Schema] = document["components"]["responses"]

    def page(self) -> str:
        """Return the whole page."""
        info, tags = self._told["info"], self._told["tags"]
        places = "".join(
            f'<li><a href="#{escape(name)}">{escape(name)}</a></li>' for name in [*(t["name"] for t in tags), "types"]
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{escape(info['title'])}: the API</title>"
            '<link rel="stylesheet" href="/docs/style.css"><script type="module" src="/docs/filter.js"></script></head>'
            f"<body><nav><div><strong>{escape(info['title'])}</strong>"
            '<input type="search" placeholder="Filter" aria-label="Filter the routes" hidden>'
            f"<ul>{places}</ul></div></nav>"
            f"<main><h1>The API</h1><p class=soft>{escape(info['summary'])} · version {escape(info['version'])} · "
            '<a href="/openapi.json">openapi.json</a></p>'
            f'<p class="lead">{_words(info["description"])}</p>'
            + "".join(self._tag(tag) for tag in tags)
            + self._types()
            + "</main></body></html>\n"
        )

    def _tag(self, tag: Schema) -> str:
        operations = "".join(
            self._operation(method, path, operation)
            for path, operations in self._told["paths"].items()
            for method, operation in operations.items()
            if tag["name"] in operation["tags"]
        )
        name = escape(tag["name"])
        return f'<section id="{name}"><h2>{name}</h2><p>{_words(tag["description"])}</p>{operations}</section>'

    def _operation(self, method: str, path: str, told: Schema) -> str:
        who = "".join(f'<span class="role">{escape(role)}</span>' for role in told["x-roles"])
        # The summary stands above; who may is shown apart.
        said = told["description"].removeprefix(told["summary"]).partition("\n\nFor " if who else "\0")
        words = _words(said[0] + "\n\n" + said[2].partition("\n\n")[2])
        parts = [f"<p>{words}</p>" if words else "", f"<h3>Who</h3>{who}" if who else ""]
        for where, title in (("path", "In the path"), ("query", "In the query"), ("header", "Headers")):
            rows = [
                self._row(
                    one["name"], one["schema"], one.get("description", ""), must="required" if one["required"] else ""
                )
                for one in told["parameters"]
                if one["in"] == where
            ]
            parts.append(_table(title, rows))
        if "requestBody" in told:
            parts.append(self._body(told["requestBody"]))
        parts.append("<h3>Answers</h3><table>" + "".join(self._answer(*one) for one in told["responses"].items()))
        parts.append(f"</table><h3>Example</h3><pre>{escape(self._curl(method, path, told))}</pre>")
        return (
            f'<details id="{escape(told["operationId"])}"><summary><span class="method {method}">{method.upper()}</span>'
            f'<code>{escape(path)}</code><span class="words">{_words(told["summary"])}</span></summary>'
            f'<div class="inside">{"".join(parts)}</div></details>'
        )

    def _body(self, body: Schema) -> str:
        words = f"<p>{_words(body['description'])}</p>" if "description" in body else ""
        parts = []
        for media_type, content in body["content"].items():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            title = f"Body, {media_type}"
            rows = self._rows(self._schemas[name], "required") if name else []
            parts.append(_table(title, rows) or f"<h3>{escape(title)}</h3>" + ("nothing, or {}" if name else ""))
        return "".join(parts) + words

    def _answer(self, status: str, told: Schema) -> str:
        if "$ref" in told:
            told = self._responses[told["$ref"].rpartition("/")[2]]
        kinds = []
        for media_type, content in told.get("content", {}).items():
            schema = content.get("schema", {})
            schema = schema["allOf"][0] if "allOf" in schema else schema
            kinds.append(self._kind(schema) if "$ref" in schema else f"<code>{escape(media_type)}</code>")
        headers = "".join(f" · <code>{escape(name)}</code>" for name in told.get("headers", {}))
        tone = "well" if status.startswith("2") else "ill"
        return (
            f'<tr><td><span class="{tone}">{escape(status)}</span> {", ".join(kinds)}</td>'
            f"<td>{_words(told['description'])}{headers}</td></tr>"
        )

    def _types(self) -> str:
        told = "".join(
            f'<details id="{escape(name)}"><summary><span class="method">type</span><code>{escape(name)}</code>'
            f'<span class="words">{_words(schema.get("description", ""))}</span></summary>'
            f'<div class="inside">{_table("", self._rows(schema, "always")) or self._kind(schema)}</div></details>'
            for name, schema in self._schemas.items()
        )
        return f'<section id="types"><h2>types</h2><p>What bodies and answers are made of.</p>{told}</section>'

    def _rows(self, schema: Schema, mark: str) -> list[str]:
        must = schema.get("required", [])
        return [
            self._row(name, field, field.get("description", ""), must=mark if name in must else "")
            for name, field in schema.get("properties", {}).items()
        ]

    def _row(self, name: str, schema: Schema, words: str, *, must: str) -> str:
        mark = f' <span class="must">{must}</span>' if must else ""
        default = schema.get("default")
        more = f" · default <code>{escape(json.dumps(default))}</code>" if default not in (None, [], {}) else ""
        told = f"<br>{_words(words)}" if words else ""
        return f"<tr><td><code>{escape(name)}</code>{mark}</td><td>{self._kind(schema)}{more}{told}</td></tr>"

    def _kind(self, schema: Schema) -> str:
        """Describe a value's type in a few words."""
        if "$ref" in schema:
            name = escape(schema["$ref"].rpartition("/")[2])
            return f'<a href="#{name}"><code>{name}</code></a>'
        if "anyOf" in schema:
            return " or ".join(self._kind(one) for one in schema["anyOf"])
        if "enum" in schema or "const" in schema:
            return " · ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
        kind = schema.get("type", "anything")
        if kind == "array":
            return f"list of {self._kind(schema.get('items', {}))}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"by name: {self._kind(schema['additionalProperties'])}"
        words = [_PLAIN.get(kind, str(kind))]
        words += [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
        if "examples" in schema:
            words.append(f"such as {schema['examples'][0]}")
        return escape(", ".join(words))

    def _curl(self, method: str, path: str, told: Schema) -> str:
        place = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
        must = [one["name"] for one in told["parameters"] if one["in"] == "query" and one["required"]]
        query = "&".join(f"{name}={name.upper()}" for name in must)
        lines = [
            f"curl {'' if method == 'get' else f'-X {method.upper()} '}'{self._address}{place}{query and '?'}{query}'"
        ]
        if "security" not in told:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        for media_type, content in told.get("requestBody", {}).get("content", {}).items():
            schema = content.get("schema", {})
            if "$ref" in schema:
                example = json.dumps(self._example("", schema), ensure_ascii=False).replace("'", "'\\''")
                lines.append(f"-H 'Content-Type: {media_type}' -d '{example}'")
            else:
                lines.append(f"-H 'Content-Type: {media_type}' --data-binary @FILE")
            break
        return " \\\n  ".join(lines)

    def _example(self, name: str, schema: Schema) -> Any:
        """Return a valid value with the required fields; for a change, with one field."""
        if "$ref" in schema:
            return self._example(name, self._schemas[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self._example(name, schema["anyOf"][0])
        for key in ("examples", "enum"):
            if key in schema:
                return schema[key][0]
        if schema.get("type") == "object":
            fields = schema.get("properties", {})
            names = schema.get("required") or list(fields)[:1]
            return {one: self._example(one, fields[one]) for one in names}
        plain: dict[str, Any] = {"array": [], "boolean": True, "integer": 1, "number": 1}
        return plain.get(schema.get("type", ""), name.upper())


_PLAIN = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
_BOUNDS = {
    "format": "{}",
    "minimum": "from {}",
    "maximum": "to {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} entries",
}


def _words(text: str) -> str:
    """Return text as HTML: paragraphs, and `code` between back-ticks."""
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip()))
    return told.replace("\n\n", "</p><p>")


def _table(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return f"{head}<table>{''.join(rows)}</table>"


ROUTES = [
    route("GET", "/docs", page, None, anybody=True, gives=Stream("text/html", "The page.")),
    Route("/docs/{name}", file),
]
