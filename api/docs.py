"""The OpenAPI document as one page that needs nothing from elsewhere."""

import html
import json
from typing import Any, Final

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1f24 }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f4f5f7; border-radius: 4px }
code { padding: .1rem .3rem } pre { padding: .8rem; overflow: auto }
summary { cursor: pointer; padding: .4rem 0 } details { border-bottom: 1px solid #e3e6ea }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
"""


class OfflineDocs(OpenAPIRenderPlugin):
    """Renders the schema on the server, without scripts."""

    def __init__(self) -> None:
        super().__init__(path="/", favicon="", style=f"<style>{_STYLE}</style>")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Give the page."""
        del request
        info = openapi_schema["info"]
        operations = [
            _operation(path, method, operation)
            for path, methods in sorted(openapi_schema["paths"].items())
            for method, operation in methods.items()
            if isinstance(operation, dict)
        ]
        schemas = [
            _block(name, f"<pre>{_json(schema)}</pre>")
            for name, schema in sorted(
                openapi_schema.get("components", {}).get("schemas", {}).items()
            )
        ]
        title = html.escape(f"{info['title']} {info['version']}")
        page = (
            f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>{self.style}</head>"
            f"<body><h1>{title}</h1><p>{html.escape(info.get('description') or '')}</p>"
            f"<p>The document itself: <a href='schema/openapi.json'>openapi.json</a></p>"
            f"{''.join(operations)}<h2>Shapes</h2>{''.join(schemas)}</body></html>"
        )
        return page.encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    title = f"<span class=method>{method.upper()}</span><code>{html.escape(path)}</code> "
    title += html.escape(operation.get("description") or operation.get("summary") or "")
    rows = "".join(
        f"<tr><td><code>{html.escape(each['name'])}</code></td><td>{each['in']}</td>"
        f"<td>{html.escape(each.get('description') or '')}</td></tr>"
        for each in operation.get("parameters", [])
    )
    body = operation.get("requestBody", {}).get("content", {})
    parts = [f"<table>{rows}</table>" if rows else ""]
    parts += [f"<p>Body: {_refs(content.get('schema', {}))}</p>" for content in body.values()]
    for status, response in operation.get("responses", {}).items():
        shapes = [
            _refs(content.get("schema", {})) for content in response.get("content", {}).values()
        ]
        parts.append(
            f"<p><b>{status}</b> {html.escape(response.get('description', ''))} {' '.join(shapes)}</p>"
        )
    return f"<details><summary>{title}</summary>{''.join(parts)}</details>"


def _block(name: str, content: str) -> str:
    anchor = html.escape(name, quote=True)
    return f"<details id='{anchor}'><summary><code>{anchor}</code></summary>{content}</details>"


def _refs(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref")
    if reference:
        name = html.escape(reference.rpartition("/")[2], quote=True)
        return f"<a href='#{name}'>{name}</a>"
    return f"<code>{_json(schema)}</code>"


def _json(value: Any) -> str:
    return html.escape(json.dumps(value, indent=1))
