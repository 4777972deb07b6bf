"""Result files: every column in its order, the same bytes for the same rows, and nothing that a spreadsheet runs."""

from __future__ import annotations

import resource
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.errors import StorageFull
from app.files.readers import FileFormat, Scalar, open_reader
from app.files.writers import open_writer

COLUMNS = {"b": "string", "a": "string", "score": "float", "rank": "int"}
ROWS: list[dict[str, Scalar]] = [
    {"b": 'x,"y"\nz', "a": None, "score": 0.1 + 0.2, "rank": 1},
    {"a": "Müller", "b": True, "rank": None, "other": "left out"},
]


@pytest.mark.parametrize("format", FileFormat)
def test_what_is_written_is_read_again(tmp_path: Path, format: FileFormat) -> None:
    with open_writer(tmp_path / "out", format, COLUMNS) as writer:
        writer.write(ROWS)
    with open_reader(tmp_path / "out", format) as reader:
        [block] = reader.blocks(10)
        assert reader.columns == ("b", "a", "score", "rank")
    first, second = block.records
    assert (first["b"], first["a"], str(first["score"])) == ('x,"y"\nz', None, "0.30000000000000004")
    assert (second["a"], str(second["b"]).lower(), second["score"], second["rank"]) == ("Müller", "true", None, None)


@pytest.mark.parametrize("format", FileFormat)
def test_portions_do_not_show_in_the_bytes(tmp_path: Path, format: FileFormat) -> None:
    rows: list[dict[str, Scalar]] = [{"b": f"row {i}", "rank": i} for i in range(45_000)]
    for name, portion in (("one", 45_000), ("many", 777)):
        with open_writer(tmp_path / name, format, COLUMNS) as writer:
            for start in range(0, len(rows), portion):
                writer.write(rows[start : start + portion])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_parquet_keeps_types_and_nulls_of_an_empty_result(tmp_path: Path) -> None:
    with open_writer(tmp_path / "out", FileFormat.PARQUET, COLUMNS):
        pass
    assert [str(field.type) for field in pq.read_schema(tmp_path / "out")] == ["string", "string", "double", "int64"]


def test_formulas_are_neutralised_on_demand_and_numbers_stay(tmp_path: Path) -> None:
    rows: list[dict[str, Scalar]] = [
        {"a": value} for value in ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-5", "+49 30 1234", -5, "plain")
    ]
    with open_writer(tmp_path / "safe", FileFormat.CSV, ["a"], neutralise_formulas=True) as writer:
        writer.write(rows)
    assert (tmp_path / "safe").read_text("utf-8").splitlines()[1:] == [
        "'=1+1",
        "'@SUM(A1)",
        "'+cmd|' /C calc'!A0",
        "-5",
        "+49 30 1234",
        "-5",
        "plain",
    ]
    with open_writer(tmp_path / "plain", FileFormat.CSV, ["a"]) as writer:
        writer.write(rows[:1])
    assert (tmp_path / "plain").read_text("utf-8") == "a\n=1+1\n"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two columns"):
        open_writer(tmp_path / "out", FileFormat.CSV, ["a", "a"])


def write_many(path: Path, format: FileFormat) -> None:
    with open_writer(path, format, COLUMNS) as writer:
        for start in range(0, 200_000, 20_000):
            writer.write({"b": f"{i * 7919:x}", "rank": i} for i in range(start, start + 20_000))


@pytest.mark.parametrize("format", FileFormat)
def test_a_full_disk_is_said(tmp_path: Path, format: FileFormat) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageFull, match="no space"):
            write_many(tmp_path / "out", format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
