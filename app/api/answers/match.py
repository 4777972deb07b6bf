"""Answers of /match."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.answers.common import REQUEST, SNAPSHOT, shown

Decision = Literal["match", "review", "no_match"]
Confidence = Literal["high", "medium", "low"]


class Reason(BaseModel):
    code: str = Field(description="Stable, upper case")
    field: str | None
    label: str
    effect: Literal["supports", "opposes"]
    weight: float = Field(description="Bits of evidence: log2 of the likelihood ratio")
    decision_id: str = Field("", description="The standing decision, where the reason is one")
    actor: str = Field("", description="The key that made the standing decision")


_MATCH_EXAMPLE = {
    "record_id": "1",
    "score": 0.973,
    "confidence": "high",
    "decision": "match",
    "record": {"company_name": "Acme Inc.", "domain": "acme.com"},
    "reasons": [
        {"code": "DOMAIN_EXACT", "field": "domain", "label": "Same domain", "effect": "supports", "weight": 9.3}
    ],
}


class Match(BaseModel):
    record_id: str
    score: float = Field(ge=0, le=1, description="Probability that this is the same entity")
    confidence: Confidence
    decision: Decision
    record: dict[str, Any] = Field(description="The master record's fields")
    reasons: list[Reason]
    explanation: dict[str, Any] = Field({}, description="When asked: fields, levels, weights, prior and retrieval")


class Warned(BaseModel):
    code: str
    field: str


class RecordMatches(BaseModel):
    model_config = shown(
        {
            "request_id": REQUEST,
            "snapshot_id": SNAPSHOT,
            "profile": "balanced@14",
            "threshold": 0.8,
            "decision": "match",
            "matches": [_MATCH_EXAMPLE],
            "candidates_considered": 50,
            "took_ms": 12.4,
        }
    )

    request_id: str
    snapshot_id: str
    profile: str
    threshold: float
    decision: Decision
    matches: list[Match]
    candidates_considered: int
    review_candidate: Match | None = Field(None, description="Only with the decision review: the candidate to look at")
    warnings: list[Warned] = Field([], description="Fields that pair with nothing")
    took_ms: float


class Explained(Match):
    model_config = shown(
        {
            "request_id": REQUEST,
            "snapshot_id": SNAPSHOT,
            "profile": "balanced@14",
            "threshold": 0.8,
            "retrieved": True,
            "rank": 1,
            **_MATCH_EXAMPLE,
            "explanation": {"fields": [], "prior": -13.1, "match_weight": 6.4, "mapping": {"company": "company_name"}},
            "flip": {"to": "no_match", "bits_needed": -4.4, "without": ["DOMAIN_EXACT"]},
            "warnings": [],
        }
    )

    request_id: str
    snapshot_id: str
    profile: str
    threshold: float
    retrieved: bool = Field(description="Whether retrieval found the record")
    rank: int
    flip: dict[str, Any] | None = Field(description="The least change that would turn the decision")
    warnings: list[Warned]
