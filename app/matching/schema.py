"""What the fields of a dataset mean: the role of each field chooses how it is normalised, retrieved and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    ORGANIZATION_NAME = "organization_name"
    DOMAIN = "domain"
    EMAIL = "email"
    PHONE = "phone"
    PERSON_NAME = "person_name"
    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    ADDRESS = "address"
    CITY = "city"
    REGION = "region"
    POSTAL_CODE = "postal_code"
    COUNTRY = "country"
    IDENTIFIER = "identifier"
    DATE = "date"
    NUMBER = "number"
    TEXT = "text"


FIELD_TYPES = ("string", "int", "float", "bool", "timestamp")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a dataset: its name, its stored type (one of FIELD_TYPES) and its role."""

    name: str
    type: str
    role: Role


@dataclass(frozen=True, slots=True)
class MatchSchema:
    """The fields that take part in matching, in the dataset's order."""

    fields: tuple[FieldSpec, ...]

    def to_json(self) -> list[dict[str, str]]:
        return [{"name": f.name, "type": f.type, "role": f.role.value} for f in self.fields]

    @classmethod
    def from_json(cls, fields: list[Mapping[str, Any]]) -> MatchSchema:
        return cls(tuple(FieldSpec(str(f["name"]), str(f["type"]), Role(f["role"])) for f in fields))
