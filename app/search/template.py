"""The index body of a snapshot: the template file plus the dataset's own readable fields, with a digest that verifies it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson
import xxhash

_READABLE_TYPES: Mapping[str, dict[str, Any]] = {
    # Doc values only: Dashboards sorts, filters and counts by them; matching never reads them.
    "string": {"type": "keyword", "index": False, "ignore_above": 512},
    "int": {"type": "long", "index": False},
    "float": {"type": "double", "index": False},
    "bool": {"type": "boolean", "index": False},
    "timestamp": {"type": "date", "index": False},
}
_MAPPABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,127}")
_MAPPED_FIELDS_MAX = 200
"""The engine refuses an index of more than 1,000 mapped fields; what is beyond stays readable in `_source`."""


@dataclass(frozen=True, slots=True)
class IndexBody:
    """What `PUT /<index>` takes, and the digest that stands in its `_meta`."""

    body: dict[str, Any]
    digest: str


@cache
def _template() -> bytes:
    return resources.files("index_templates").joinpath("records.json").read_bytes()


def template_body() -> dict[str, Any]:
    """The whole template, as `PUT /_index_template/<name>` takes it."""
    loaded: dict[str, Any] = orjson.loads(_template())
    return loaded


def index_body(field_types: Mapping[str, str], *, shards: int = 1) -> IndexBody:
    """The body of one dataset's index; `field_types` gives the type (`app.matching.schema.FIELD_TYPES`) of each field."""
    body: dict[str, Any] = copy.deepcopy(template_body()["template"])
    body["settings"]["index"]["number_of_shards"] = shards
    readable = [name for name in field_types if _MAPPABLE_NAME.fullmatch(name)][:_MAPPED_FIELDS_MAX]
    body["mappings"]["properties"]["record"]["properties"] = {
        name: _READABLE_TYPES[field_types[name]] for name in readable
    }
    digest = xxhash.xxh3_128_hexdigest(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    body["mappings"]["_meta"] = {"template_digest": digest}
    return IndexBody(body, digest)
