"""Names in other languages and scripts find their English record, through the whole application on real engines."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api

MASTER = {
    "hagihara": "Hagihara Industries Inc.",
    "kido": "Kido Hospital",
    "kirishima": "Kirishima Hospital",
    "angers": "University Hospital of Angers",
    "orleans": "University Hospital of Orléans",
    "aachen": "Aachen University",
    "aachen hospital": "University Hospital Aachen",
    "hydrology": "Institute of Hydrology",
    "geology": "Institute of Geology",
    "dot": "Nebraska Department of Transportation",
    "doe": "Nebraska Department of Education",
    "kth": "KTH Royal Institute of Technology",
    "kettering": "Kettering University",
}


@pytest.fixture(scope="module")
async def snapshot_id(api: Api) -> str:
    records = [{"account_id": record_id, "name": name} for record_id, name in MASTER.items()]
    return (await api.activated(records))[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("萩原工業株式会社", "hagihara"),
        ("木戸病院", "kido"),
        ("Centre hospitalier universitaire d'Angers", "angers"),
        ("Universitätsklinikum Aachen", "aachen hospital"),
        ("Universität Aachen", "aachen"),
        ("Instituto de Hidrología", "hydrology"),
        ("Nebraska DOT", "dot"),
        ("Royal Institute of Technology, Stockholm", "kth"),
        ("Department of Manufacturing EngineeringKettering University 48504 Flint MI USA", "kettering"),
    ],
)
async def test_a_name_in_another_language_finds_its_record(
    api: Api, snapshot_id: str, name: str, expected: str
) -> None:
    options = {"threshold": 0.0, "top_n": 2}
    body = {"snapshot_id": snapshot_id, "record": {"name": name}, "options": options}
    answer = (await api.call("POST", "/match/record", body)).json()
    assert answer["matches"][0]["record_id"] == expected
