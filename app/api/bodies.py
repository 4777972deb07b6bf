"""The bodies that requests may have; every model is strict and refuses fields that it does not know."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api.answers.common import DATASET, JOB, SNAPSHOT, shown
from app.matching.schema import Role
from app.services.match import MatchOptions

FieldType = Literal["string", "int", "float", "bool", "timestamp"]
Scalar = str | int | float | bool | None
Name = Annotated[str, Field(min_length=1, max_length=200)]


_NUL = "\x00"


class Body(BaseModel):
    """Texts of a body are kept, and PostgreSQL keeps none with a NUL; fields that are only matched or go to files may have it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    nul_allowed: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def holds_no_nul(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, dict) else ():
            if name not in cls.nul_allowed and _holds_nul([name, value]):
                raise ValueError(f"{name.replace(_NUL, '')!r} holds the character U+0000, which no text may have")
        return given


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return _NUL in value
    if isinstance(value, dict):
        return any(_NUL in name or _holds_nul(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


class Options(Body):
    """How to match; what is left out is the profile's."""

    profile: Name = "balanced"
    threshold: Annotated[float | None, Field(ge=0.0, le=1.0, strict=False)] = None
    top_n: Annotated[int, Field(ge=1, le=50)] = 5
    field_map: dict[str, str] = {}
    strict: bool = False
    return_explanations: bool = False

    def to_options(self) -> MatchOptions:
        return MatchOptions(**self.model_dump())


class _Target(Body):
    snapshot_id: Name | None = None
    dataset_id: Name | None = None
    options: Options = Options()

    @model_validator(mode="after")
    def exactly_one_target(self) -> _Target:
        if (self.snapshot_id is None) == (self.dataset_id is None):
            raise ValueError("give exactly one of snapshot_id and dataset_id")
        return self


class MatchRecordBody(_Target):
    model_config = shown(
        {
            "snapshot_id": SNAPSHOT,
            "record": {"company_name": "Acme Inc", "domain": "acme.com"},
            "options": {"profile": "balanced", "threshold": 0.8, "top_n": 5, "return_explanations": True},
        }
    )
    nul_allowed = frozenset({"record"})

    record: dict[str, Any]


class ExplainBody(_Target):
    model_config = shown({"dataset_id": DATASET, "record": {"company": "ACME widgets"}, "record_id": "1"})
    nul_allowed = frozenset({"record"})

    record: dict[str, Any]
    record_id: Name


class MatchBatchBody(_Target):
    model_config = shown(
        {
            "snapshot_id": SNAPSHOT,
            "records": [
                {"company_name": "Acme Inc", "domain": "acme.com"},
                {"company_name": "Globex Corp", "domain": "globex.com"},
            ],
            "options": {"profile": "balanced", "threshold": 0.7},
            "callback_url": "https://your-app.com/webhook/match-complete",
        }
    )

    records: Annotated[list[dict[str, Any]], Field(min_length=1)]
    callback_url: Annotated[str | None, Field(max_length=2048, pattern=r"^https?://")] = None


class MatchFilesBody(_Target):
    model_config = shown(
        {
            "snapshot_id": SNAPSHOT,
            "source_key": "sk_01J8X9Y2Z3A4B5C6D7E8F9G0H1",
            "options": {"profile": "leads_to_accounts", "top_n": 1},
            "output_format": "parquet",
        }
    )

    source_key: Name
    output_format: Literal["parquet", "csv", "ndjson"] = "csv"
    callback_url: Annotated[str | None, Field(max_length=2048, pattern=r"^https?://")] = None


class MatchDeltaBody(Body):
    model_config = shown(
        {
            "from_snapshot_id": SNAPSHOT,
            "to_snapshot_id": f"{SNAPSHOT[:-1]}2",
            "job_id": JOB,
            "callback_url": "https://your-app.com/webhook/match-complete",
        }
    )

    from_snapshot_id: Annotated[Name, Field(description="What the job was matched against")]
    to_snapshot_id: Annotated[Name, Field(description="A later or earlier snapshot of the same dataset, with an index")]
    job_id: Annotated[Name, Field(description="A completed job of /match/files or /match/delta")]
    callback_url: Annotated[str | None, Field(max_length=2048, pattern=r"^https?://")] = None


class CreateDatasetBody(Body):
    model_config = shown(
        {
            "name": "Customer Master Data",
            "schema": {"customer_id": "int", "company_name": "string", "email": "string", "created_at": "timestamp"},
            "primary_key": "customer_id",
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    fields: Annotated[dict[Name, FieldType], Field(alias="schema", min_length=1, max_length=200)]
    primary_key: Name | None = None
    roles: dict[Name, Annotated[Role, Field(strict=False)]] = {}

    @model_validator(mode="after")
    def names_known_fields(self) -> CreateDatasetBody:
        unknown = [name for name in (self.primary_key, *self.roles) if name is not None and name not in self.fields]
        if unknown:
            raise ValueError(f"primary_key and roles must name fields of the schema; {unknown[0]!r} is none")
        reserved = [name for name in self.fields if name.startswith("_")]
        if reserved:
            raise ValueError(f"field names must not begin with an underscore: {reserved[0]!r}")
        return self


class AppendBody(Body):
    model_config = shown(
        {
            "records": [
                {
                    "customer_id": 1,
                    "company_name": "Acme",
                    "email": "info@acme.com",
                    "created_at": "2024-01-01T00:00:00Z",
                },
                {"customer_id": 2, "company_name": "Globex", "email": "info@globex.com", "created_at": "2024-01-02"},
            ]
        }
    )
    nul_allowed = frozenset({"records"})

    records: Annotated[list[dict[str, Any]] | None, Field(min_length=1)] = None
    source_key: Annotated[Name | None, Field(description="An upload instead of records; answers 202 with a job")] = None
    format: Annotated[
        Literal["csv", "ndjson", "parquet"] | None, Field(description="Of the upload; seen from the file when left out")
    ] = None
    field_map: Annotated[
        dict[str, str | None], Field(description="The upload's column to the dataset's field; null leaves it out")
    ] = {}

    @model_validator(mode="after")
    def records_or_an_upload(self) -> AppendBody:
        if (self.records is None) == (self.source_key is None):
            raise ValueError("give exactly one of records and source_key")
        if self.records is not None and (self.format is not None or self.field_map):
            raise ValueError("format and field_map are for source_key")
        return self


class ActivateBody(Body):
    model_config = shown({"snapshot_id": SNAPSHOT})

    snapshot_id: Name


class GrantBody(Body):
    model_config = shown({"credits": 5000, "reason": "May"})

    credits: Annotated[int, Field(gt=0, le=10**12)]
    reason: Annotated[str, Field(max_length=200)] = ""


class ModeBody(Body):
    model_config = shown({"mode": "enforced"})

    mode: Literal["shadow", "enforced"]
