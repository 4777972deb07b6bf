"""Records as they are read: values, names, numbers of rows and lines, whatever the format."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.files.readers import BadRow, FileFormat, Scalar, open_reader


def records(path: Path, content: bytes | None = None) -> list[dict[str, Scalar]]:
    if content is not None:
        path.write_bytes(content)
    with open_reader(path) as reader:
        return [record for block in reader.blocks(2) for record in block.records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "input"


def test_an_empty_cell_is_null_and_everything_else_stays_text(path: Path) -> None:
    assert records(path, b'id,name,city\n007,"",\n 1 ,NULL,nan\n') == [
        {"id": "007", "name": None, "city": None},
        {"id": " 1 ", "name": "NULL", "city": "nan"},
    ]


def test_names_of_columns_are_trimmed_filled_and_made_unique(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf id ,,name,name,name_2\n1,2,3,4,5\n")
    with open_reader(path) as reader:
        assert reader.columns == ("id", "column_2", "name", "name_3", "name_2")


@pytest.mark.parametrize(
    ("encoding", "bom"), [("utf-8", b""), ("utf-8-sig", b""), ("utf-16", b""), ("cp1252", b""), ("latin-1", b"")]
)
def test_the_encoding_is_found(path: Path, encoding: str, bom: bytes) -> None:
    text = "id;name\n1;Müller & Söhne\n2;Bäckerei Weiß\n"
    assert records(path, bom + text.encode(encoding))[1]["name"] == "Bäckerei Weiß"


def test_the_encoding_is_found_where_the_first_such_byte_is(path: Path) -> None:
    content = b"id,name\n" + b"1,plain\n" * 200_000 + "2,Zürich\n".encode("cp1252")
    assert records(path, content)[-1] == {"id": "2", "name": "Zürich"}


def test_rows_and_lines_are_counted_over_quoted_newlines_blank_lines_and_bad_rows(path: Path) -> None:
    path.write_bytes(b'id,name\n1,"a\nb"\n\n2\n3,c\n')
    with open_reader(path) as reader:
        [block] = reader.blocks(10)
    assert (block.first_row, block.rows, block.lines) == (1, [1, 3], [2, 6])
    assert block.bad == [BadRow(2, 5, "CELL_COUNT", "the row has 1 cells, the header 2", "2")]


@pytest.mark.parametrize("quoted", [b"x\n" * 400_000, b"y" * 700_000])
def test_a_record_may_lie_across_the_pieces_that_are_read(path: Path, quoted: bytes) -> None:
    found = records(path, b"id,name\n" + b"1,a\n" * 100_000 + b'2,"' + quoted + b'"\n3,c\n')
    assert len(found) == 100_002
    assert found[-2]["name"] == quoted.decode()


def test_columns_of_ndjson_grow_in_order_of_first_sight(path: Path) -> None:
    path.write_bytes(b'{"b": 1, "a": true}\n' * 50_000 + b'{"a": null, "c": 2.5}\n')
    with open_reader(path) as reader:
        blocks = reader.blocks(1_000)
        assert next(blocks).records[0] == {"b": 1, "a": True}
        assert reader.columns == ("b", "a")
        assert list(blocks)[-1].records == [{"a": None, "c": 2.5}]
        assert reader.columns == ("b", "a", "c")


def test_a_column_is_what_its_records_hold(path: Path) -> None:
    for content in (b'id,name\n1,""\n2,b\n', b'{"id": "1"}\n{"id": "2", "name": "b"}\n'):
        path.write_bytes(content)
        with open_reader(path) as reader:
            [block] = reader.blocks(10)
        assert [block.column(name) for name in ("id", "name", "none")] == [["1", "2"], [None, "b"], [None, None]]
        assert [record.get("name") for record in block.records] == [None, "b"]


def test_parquet_types_become_scalars(path: Path) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    values: dict[str, pa.Array] = {
        "int": pa.array([1, None], pa.int32()),
        "text": pa.array(["a", None]).dictionary_encode(),
        "flag": pa.array([True, None]),
        "real": pa.array([1.5, float("nan")]),
        "at": pa.array([datetime.datetime(2024, 5, 1, 12, tzinfo=zone), None], pa.timestamp("ms", tz="+02:00")),
        "naive": pa.array([datetime.datetime(2024, 5, 1, 12, 0, 0, 5), None], pa.timestamp("ns")),
        "day": pa.array([datetime.date(2024, 5, 1), None]),
        "price": pa.array([decimal.Decimal("12.50"), None], pa.decimal128(10, 2)),
        "nothing": pa.nulls(2),
    }
    pq.write_table(pa.table(values), path)
    expected: dict[str, Any] = {
        "int": 1,
        "text": "a",
        "flag": True,
        "real": 1.5,
        "at": "2024-05-01T10:00:00.000000Z",
        "naive": "2024-05-01T12:00:00.000005Z",
        "day": "2024-05-01",
        "price": "12.50",
        "nothing": None,
    }
    assert records(path) == [expected, dict.fromkeys(expected)]
    with open_reader(path) as reader:
        assert reader.kinds["int"] == "int"
        assert reader.kinds["real"] == "float"
        assert reader.kinds["at"] == "string"


def test_a_format_that_is_named_is_not_guessed(path: Path) -> None:
    path.write_bytes(b'{"a"\n{"a"\n')
    with open_reader(path, FileFormat.CSV) as reader:
        assert reader.columns == ('{"a"',)
