"""A corpus of files as they are met: every row is a record or a bad row, and what cannot be read says so."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import UnreadableFile
from app.files.readers import FileFormat, ReaderLimits, open_reader

LIMITS = ReaderLimits(record_chars=2_000, unpacked_bytes=200_000, columns=50)
HEAD = b"id,name\n"
BOM = b"\xef\xbb\xbf"


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


PARQUET = parquet({"id": [1, 2, 3], "name": ["a", "b", None]})
GZIPPED = gzip.compress(HEAD + b"1,a\n2,b\n", mtime=0)
BIG_GZIPPED = gzip.compress(HEAD + b"".join(b"%d,name%d\n" % (i, i * 7919) for i in range(9_000)), mtime=0)

# name -> bytes, the records, and the codes of its bad rows in order; or the words of why it cannot be read at all
CORPUS: dict[str, tuple[bytes, int | None, list[str] | str]] = {
    # --- CSV: shape
    "plain": (HEAD + b"1,a\n2,b\n", 2, []),
    "no newline at the end": (HEAD + b"1,a\n2,b", 2, []),
    "CRLF": (b"id,name\r\n1,a\r\n2,b\r\n", 2, []),
    "CR only": (b"id,name\r1,a\r2,b\r", 2, []),
    "mixed line ends": (b"id,name\r\n1,a\n2,b\r3,c\n", 3, []),
    "header only": (HEAD, 0, []),
    "header without newline": (b"id,name", 0, []),
    "one column": (b"name\nAcme\nGlobex\n", 2, []),
    "blank lines between": (b"id,name\n\n1,a\n\n\n2,b\n\n", 2, []),
    "a row of empty cells": (HEAD + b",\n1,a\n", 2, []),
    "too few cells": (HEAD + b"1\n2,b\n", 1, ["CELL_COUNT"]),
    "too many cells": (HEAD + b"1,a,x\n2,b\n", 1, ["CELL_COUNT"]),
    "every row ragged": (HEAD + b"1\n2\n3\n", 0, ["CELL_COUNT"] * 3),
    "trailing delimiter": (b"id,name,\n1,a,\n2,b,\n", 2, []),
    "repeated names": (b"id,name,name\n1,a,b\n", 1, []),
    "empty names": (b"id,,\n1,a,b\n", 1, []),
    "a repeated name that is numbered already": (b"a,a,a_2\n1,2,3\n", 1, []),
    "too many columns": (b",".join(b"c%d" % i for i in range(60)) + b"\n", None, "60 columns"),
    # --- CSV: quotes
    "newline inside quotes": (HEAD + b'1,"a\nb"\n2,c\n', 2, []),
    "doubled quotes": (HEAD + b'1,"a ""b"" c"\n', 1, []),
    "quote inside a bare cell": (HEAD + b'1,5" pipe\n2,b\n', 2, []),
    "text after a closing quote": (HEAD + b'1,"Acme" Inc\n2,b\n', 1, ["BAD_QUOTE"]),
    "unclosed quote in the middle": (HEAD + b'1,"a\n2,b\n3,c\n', 2, ["UNCLOSED_QUOTE"]),
    "unclosed quote at the end": (HEAD + b'1,a\n2,"b', 1, ["UNCLOSED_QUOTE"]),
    "stray quote before a quoted row": (HEAD + b'1,"a\n2,"b"\n3,c\n', 2, ["BAD_QUOTE"]),
    "quote only": (HEAD + b'"\n1,a\n', 1, ["UNCLOSED_QUOTE"]),
    "unclosed quote in the header": (b'id,"name\n1,a\n', None, "header"),
    "a quoted cell over the limit": (HEAD + b'1,"' + b"x\n" * 3_000 + b'"\n', 0, "many"),
    "a long line": (HEAD + b"1," + b"x" * 5_000 + b"\n2,b\n", 1, ["RECORD_TOO_LONG"]),
    "an endless line": (HEAD + b"x" * 900_000, 0, ["RECORD_TOO_LONG"]),
    "a long line while a quote is open": (
        HEAD + b'1,"a\n' + b"x" * 3_000 + b"\n2,b\n",
        1,
        ["UNCLOSED_QUOTE", "RECORD_TOO_LONG"],
    ),
    "an endless header": (b"x" * 900_000, None, "header"),
    # --- CSV: dialect
    "semicolons": (b"id;name\n1;Acme, Inc\n", 1, []),
    "tabs": (b"id\tname\n1\ta\n", 1, []),
    "pipes": (b"id|name\n1|a\n", 1, []),
    "declared separator": (b"sep=;\nid;name\n1;a\n", 1, []),
    "commas inside semicolons": (b"id;name\n1;a,b,c\n2;d\n", 2, []),
    # --- CSV: bytes
    "UTF-8 mark": (BOM + HEAD + b"1,a\n", 1, []),
    "UTF-16 with mark": ("id,name\n1,Müller\n".encode("utf-16"), 1, []),
    "UTF-16 big-endian with mark": (b"\xfe\xff" + "id,name\n1,Müller\n".encode("utf-16-be"), 1, []),
    "UTF-16 without mark": ("id,name\n1,Müller\n".encode("utf-16-le"), 1, []),
    "UTF-16 cut in half": ("id,name\n1,a\n2,b".encode("utf-16-le") + b"c", 1, ["INVALID_ENCODING"]),
    "UTF-32": ("id,name\n1,a\n".encode("utf-32"), None, "UTF-32"),
    "Windows-1252": ("id,name\n1,Müller “x”\n".encode("cp1252"), 1, []),
    "Latin-1": (b"id,name\n1,M\xfcller\x81\n", 1, []),
    "one wrong byte in UTF-8": (HEAD + "1,Zoë Müller\n".encode() + b"2,\xff\n3,c\n", 2, ["INVALID_ENCODING"]),
    "NUL bytes": (HEAD + b"1,a\0b\n2,b\n", 1, ["NUL_BYTE"]),
    "all NUL": (b"\0" * 500, None, "text|header"),
    "control characters": (bytes(range(1, 9)) * 100, None, "no text"),
    "only a mark": (BOM, None, "empty"),
    "empty": (b"", None, "empty"),
    "only spaces and newlines": (b"  \n \n", None, "empty"),
    "only delimiters": (b",,,\n1,2,3,4\n", None, "no names"),
    # --- other things that people upload
    "an Excel workbook": (b"PK\x03\x04" + b"\0" * 50, None, "Excel"),
    "a PDF": (b"%PDF-1.7\n...", None, "PDF"),
    "HTML": (b"<!DOCTYPE html><html></html>", None, "HTML"),
    "XML": (b"<?xml version='1.0'?><a/>", None, "XML"),
    "a JSON array": (b'[{"id": 1}]', None, "JSON array"),
    "Zstandard": (b"\x28\xb5\x2f\xfd....", None, "Zstandard"),
    # --- gzip
    "gzip": (GZIPPED, 2, []),
    "gzip in two members": (GZIPPED + gzip.compress(b"3,c\n"), 3, []),
    "gzip cut off": (BIG_GZIPPED[: len(BIG_GZIPPED) // 2], None, "too early"),
    "gzip cut in its header": (GZIPPED[:5], None, "too early"),
    "gzip with a wrong sum": (GZIPPED[:-8] + b"\0" * 8, None, "damaged"),
    "gzip with rubbish behind": (GZIPPED + b"rubbish", None, "damaged"),
    "gzip of nothing": (gzip.compress(b""), None, "empty"),
    "a gzip bomb": (gzip.compress(b"id,name\n" + b"1,a\n" * 500_000), None, "more than 200000"),
    "gzip within gzip": (gzip.compress(GZIPPED), None, "packed twice"),
    # --- NDJSON
    "NDJSON": (b'{"id": 1, "name": "a"}\n{"id": 2}\n', 2, []),
    "NDJSON with a mark and CRLF": (BOM + b'{"id": 1}\r\n{"id": 2}\r\n', 2, []),
    "NDJSON cut off": (b'{"id": 1}\n{"id": 2, "na', 1, ["BAD_JSON"]),
    "NDJSON with a bad line": (b'{"id": 1}\nnot json\n{"id": 3}\n', 2, ["BAD_JSON"]),
    "NDJSON with other values": (
        b'{"id": 1}\n[1]\n{"id": 2}\n3\n"x"\n{"id": 3}\n{"id": 4}\nnull\n',
        4,
        ["NOT_AN_OBJECT"] * 4,
    ),
    "NDJSON with nested values": (b'{"id": 1}\n{"id": [1]}\n{"id": {"a": 1}}\n', 1, ["NESTED_VALUE"] * 2),
    "NDJSON with NaN": (b'{"id": NaN}\n{"id": 1}\n', 1, ["BAD_JSON"]),
    "NDJSON with a lone surrogate": (b'{"id": "\\ud800"}\n{"id": 1}\n', 1, ["BAD_JSON"]),
    "NDJSON nested without end": (b'{"a":' * 300 + b'\n{"id": 1}\n', 1, ["BAD_JSON"]),
    "NDJSON with a long line": (b'{"id": "' + b"x" * 5_000 + b'"}\n{"id": 1}\n', 1, ["RECORD_TOO_LONG"]),
    "NDJSON with a NUL": (b'{"id": "a\0"}\n{"id": 1}\n', 1, ["NUL_BYTE"]),
    "NDJSON with a wrong byte": ('{"n": "Müller"}\n'.encode() + b'{"n": "\xff"}\n', 1, ["INVALID_ENCODING"]),
    "NDJSON in UTF-16": ('{"n": "Müller"}\n'.encode("utf-16"), 1, []),
    "two objects on a line": (b'{"id": 1}{"id": 2}\n{"id": 3}\n', 1, ["BAD_JSON"]),
    "NDJSON with too many names": (
        b"{" + b",".join(b'"c%d":1' % i for i in range(60)) + b"}\n",
        None,
        "different names",
    ),
    # --- Parquet
    "Parquet": (PARQUET, 3, []),
    "Parquet gzipped": (gzip.compress(PARQUET), 3, []),
    "Parquet without rows": (parquet({"id": pa.array([], pa.int64())}), 0, []),
    "Parquet cut off": (PARQUET[:-20], None, "footer"),
    "Parquet with a broken page": (b"PAR1" + b"\xff" * 60 + PARQUET[64:], None, "damaged"),
    "only Parquet's mark": (b"PAR1PAR1", None, "footer"),
    "Parquet with a list": (parquet({"id": [1], "tags": [["a"]]}), None, "tags"),
    "Parquet with a struct": (parquet({"id": [1], "at": [{"x": 1}]}), None, "at"),
    "Parquet with bytes": (parquet({"id": [b"a", b"\xff", b"c"]}), 2, ["INVALID_ENCODING"]),
    "Parquet with infinity": (parquet({"x": [1.0, float("inf"), float("nan")]}), 2, ["NOT_FINITE"]),
    "Parquet with a bomb in gzip": (gzip.compress(b"PAR1" + b"\0" * 900_000), None, "more than 200000"),
}


def read(path: Path, most: int = 7, format: FileFormat | None = None) -> tuple[list[int], list[int], list[str]]:
    """Numbers of the records, numbers of the bad rows and their codes."""
    good: list[int] = []
    bad: list[int] = []
    codes: list[str] = []
    with open_reader(path, format, LIMITS) as reader:
        for block in reader.blocks(most):
            assert 0 < len(block.records) + len(block.bad) <= most
            assert len(block.rows) == len(block.records) == len(block.lines)
            assert min([*block.rows, *(row.row for row in block.bad)]) == block.first_row
            good += block.rows
            bad += [row.row for row in block.bad]
            codes += [row.code for row in block.bad]
            assert all(len(row.raw) <= 500 and row.raw.encode("utf-8") is not None for row in block.bad)
            for record in block.records:
                assert all(value is None or isinstance(value, str | int | float) for value in record.values())
    return good, bad, codes


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.timeout(20)
def test_a_malformed_file_gives_every_row_once_or_says_why_it_cannot(name: str, tmp_path: Path) -> None:
    content, records, expected = CORPUS[name]
    path = tmp_path / "input"
    path.write_bytes(content)
    if records is None:
        with pytest.raises(UnreadableFile, match=str(expected)):
            read(path)
        return
    good, bad, codes = read(path)
    assert sorted(good + bad) == list(range(1, len(good) + len(bad) + 1))
    assert len(good) == records
    if expected != "many":
        assert codes == expected


@pytest.mark.parametrize("name", [name for name, (_, records, _) in CORPUS.items() if records is not None])
def test_packing_and_block_size_change_nothing(name: str, tmp_path: Path) -> None:
    content = CORPUS[name][0]
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(content)
    if not content.startswith(b"\x1f\x8b") and len(content) < LIMITS.unpacked_bytes:
        packed.write_bytes(gzip.compress(content))
        assert read(packed, 100) == read(plain, 1)
    assert read(plain, 1) == read(plain, 100)


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 60
