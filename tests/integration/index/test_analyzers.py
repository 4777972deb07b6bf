"""The index template's analyzers on the real node: text in, tokens out, as index_templates/analyzers.cases.yaml says."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
import yaml
from opensearchpy import OpenSearch

from app.search.template import index_body
from tests.engines import Engines

CASES = yaml.safe_load((files("index_templates") / "analyzers.cases.yaml").read_text("utf-8"))
INDEX = "test-analyzers"


@pytest.fixture(scope="module")
def node(running_engines: Engines) -> Iterator[OpenSearch]:
    client = OpenSearch(running_engines.opensearch_url)
    client.indices.create(index=INDEX, body=index_body({"name": "string"}).body)
    yield client
    client.indices.delete(index=INDEX)
    client.close()


@pytest.mark.parametrize(("analyzer", "text", "tokens"), CASES)
def test_a_text_becomes_these_tokens(node: OpenSearch, analyzer: str, text: str, tokens: list[str]) -> None:
    found = node.indices.analyze(index=INDEX, body={"analyzer": analyzer, "text": text})
    assert [token["token"] for token in found["tokens"]] == tokens


def test_every_analyzer_of_the_template_has_a_case(node: OpenSearch) -> None:
    made = index_body({}).body["settings"]["analysis"]["analyzer"]
    assert {case[0] for case in CASES} == set(made)
