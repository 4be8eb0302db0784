"""JSON in and out, exactly: a body is read once, strictly, into what the route takes; decimals are numbers.

The framework alone reads a body into floats first and then lets text and 1.0 pass for 1.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.exceptions import ClientException, HTTPException, InternalServerException
from litestar.exceptions import ValidationException as Invalid
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import Struct

from application.answers import to_json
from domain.actors import Actor
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.market import WithdrawRunner

_PLACE: Final = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_QUOTED_NUMBER: Final = re.compile(rb'"(odds|line|size|likeness|commission|factor|share)"\s*:\s*"')
_NO_ODDS: Final = re.compile(rb'"odds"\s*:\s*null')
_NO_NUMBER: Final = re.compile(rb'"odds"\s*:\s*["n]')
_STARTING_PRICE: Final = re.compile(rb'("odds"\s*:\s*)"SP"')


_BETS: Final = (PlaceBet, PlaceBets)


def is_json(content_type: bytes) -> bool:
    """Tell whether a Content-Type, which may be missing, is JSON's."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"application/json", b"") or kind.endswith(b"+json")


def has_odds_that_are_no_number(body: bytes) -> bool:
    """Tell whether odds stand in quotation marks, or are null, which msgspec would let pass."""
    return _NO_NUMBER.search(body) is not None


@lru_cache(maxsize=128)
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def read(body: bytes, shape: Any) -> Any:
    """Read a body into `shape`; raises the framework's exceptions, with the field at fault named."""
    # Odds "SP" are the starting price: null inside. A name that holds such text has its quotation marks escaped.
    if shape in _BETS and _NO_ODDS.search(body):
        message = 'Expected a number, or "SP" for the starting price'
        raise Invalid("a field is not acceptable", extra=[_wrong("odds", message)])
    if shape is WithdrawRunner and _STARTING_PRICE.search(body):
        # Left out they mean something here: that nothing is deducted.
        raise Invalid("a field is not acceptable", extra=[_wrong("odds", "Expected a number")])
    body = _STARTING_PRICE.sub(rb"\1null", body)
    try:
        value = _decoder(shape).decode(body)
    except msgspec.ValidationError as error:
        message, place = str(error), ""
        if match := _PLACE.fullmatch(message):
            message, place = match[1], match[2]
        raise Invalid("a field is not acceptable", extra=[_wrong(place, message)]) from error
    except msgspec.DecodeError as error:
        raise ClientException(str(error)) from error
    except UnicodeDecodeError as error:
        raise ClientException("JSON is malformed: it is not UTF-8") from error
    except RecursionError as error:
        raise ClientException("JSON is nested too deeply") from error
    if quoted := _QUOTED_NUMBER.search(body):
        name = quoted[1].decode()
        raise Invalid("a field is not acceptable", extra=[_wrong(name, "Expected a number")])
    return value


def _wrong(place: str, message: str) -> dict[str, Any]:
    return {"key": place or "body", "message": message, "source": "body"}


class ExactRequest(Request[Actor, Any, Any]):
    """A request whose body is decoded by the shape of the route's `data`."""

    async def body(self) -> bytes:
        """Give the whole body; a client that goes away in the middle of it is no fault of ours."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise ClientException("the request was cut off") from error

    async def json(self) -> Any:
        """Give the body as what the route takes."""
        if not is_json(self.headers.get("content-type", "").encode("latin-1", "replace")):
            raise HTTPException(status_code=415)
        data = self.route_handler.parsed_data_field
        assert data is not None
        return read(await self.body(), data.annotation)


class ExactResponse(Response[Any]):
    """A response whose decimals are JSON numbers with all their digits."""

    def render(self, content: Any, media_type: str, *options: Any, **more: Any) -> bytes:
        """Encode rows and pages."""
        if isinstance(content, Struct):
            return to_json(content)
        return super().render(content, media_type, *options, **more)


class DecimalsAreNumbers(OpenAPISchemaPlugin):
    """Tells the OpenAPI document so."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Tell whether the type is Decimal."""
        return value is Decimal

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Give the schema of a number."""
        del field_definition, schema_creator
        return Schema(type=OpenAPIType.NUMBER)


class UnknownFieldsAreRefused(StructSchemaPlugin):
    """Tells the OpenAPI document so, of the bodies that refuse them."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Tell whether this is a struct that refuses unknown fields."""
        config = getattr(field_definition.annotation, "__struct_config__", None)
        return config is not None and bool(config.forbid_unknown_fields)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Give the struct's schema, closed."""
        schema = super().to_openapi_schema(field_definition, schema_creator)
        schema.additional_properties = False
        return schema


class TuplesAreLists(OpenAPISchemaPlugin):
    """Tells the OpenAPI document so: it takes the … of tuple[X, ...] for a type."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Tell whether this is a tuple of any length."""
        return field_definition.origin is tuple and field_definition.args[-1] is ...

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Give the schema of a list."""
        items = FieldDefinition.from_annotation(field_definition.args[0])
        return Schema(type=OpenAPIType.ARRAY, items=schema_creator.for_field_definition(items))
