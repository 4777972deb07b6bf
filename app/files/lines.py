"""Bytes to lines of text: the encoding is found where the first non-ASCII byte is, and no line is longer than a limit."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import UnreadableFile
from app.files.source import ByteSource

_CHUNK_BYTES = 512 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UNDECODED = re.compile("[\ud800-\udfff]")
_DIRTY = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF16_ZEROS = 0.3
"""Share of zero bytes at odd or even places that text in UTF-16 without a mark has; Latin letters make it near 1."""
_BINARY_SHARE = 0.02
_FEW_CONTROLS = 8


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines with their ends, the first of them `first_line`; `overlong` means one line, cut."""

    first_line: int
    lines: list[str]
    is_dirty: bool = False
    """Some line holds a NUL or a byte that is no text; a slower look tells which."""
    overlong: bool = False


def flaw_in(text: str) -> tuple[str, str] | None:
    """Code and message of what makes a line unusable as text; None when nothing does."""
    found = _DIRTY.search(text)
    if found is None:
        return None
    if found.group() == "\0":
        return "NUL_BYTE", "the row holds a NUL byte"
    return "INVALID_ENCODING", "the row holds bytes that are no text in the file's encoding"


class LineSource:
    """Gives the lines of a source in pieces of about half a megabyte."""

    def __init__(self, source: ByteSource, line_chars: int) -> None:
        self._source = source
        self._limit = line_chars
        self._decoder = _Decoder(source.head)

    def pieces(self) -> Iterator[Lines]:
        """Every line once, in order; lines end with LF, CR or CRLF."""
        number = 1
        rest = ""
        is_cutting = False
        for text, is_last in self._texts():
            text = rest + text
            end = _last_end(text, is_last)
            if is_cutting:
                after = _first_end(text, is_last)
                if after < 0:
                    rest = text[-1:] if text.endswith("\r") else ""
                    continue
                is_cutting, text, end = False, text[after:], end - after
            whole, rest = text[:end], text[end:]
            if whole:
                lines = list(io.StringIO(whole, newline=""))
                yield from self._bounded(number, lines, len(whole), _is_dirty(whole))
                number += len(lines)
            if len(rest) > self._limit:
                yield Lines(number, [rest[: self._limit]], overlong=True)
                number, rest, is_cutting = number + 1, "", True

    def _bounded(self, number: int, lines: list[str], chars: int, is_dirty: bool) -> Iterator[Lines]:
        start = 0
        if chars > self._limit:
            for at, line in enumerate(lines):
                if len(line) > self._limit:
                    if at > start:
                        yield Lines(number + start, lines[start:at], is_dirty)
                    yield Lines(number + at, [line[: self._limit]], overlong=True)
                    start = at + 1
        if start < len(lines):
            yield Lines(number + start, lines[start:], is_dirty)

    def _texts(self) -> Iterator[tuple[str, bool]]:
        while content := self._source.read(_CHUNK_BYTES):
            yield self._decoder.decode(content, False), False
        yield self._decoder.decode(b"", True), True


def _is_dirty(text: str) -> bool:
    try:
        text.encode("utf-8")  # many times faster than a look for surrogates
    except UnicodeEncodeError:
        return True
    return "\0" in text


def _last_end(text: str, is_last: bool) -> int:
    """Where the last whole line ends; a CR at the very end may be half of a CRLF."""
    if is_last:
        return len(text)
    cr = text.rfind("\r", 0, len(text) - 1)
    return max(cr, text.rfind("\n")) + 1


def _first_end(text: str, is_last: bool) -> int:
    """Where the first line ends; -1 when it has not ended."""
    if is_last and not any(end in text for end in "\r\n"):
        return len(text)
    found = re.search(r"\r\n|\n|\r(?=.|\Z)" if is_last else r"\r\n|\n|\r(?=.)", text, re.DOTALL)
    return found.end() if found else -1


class _Decoder:
    """Decodes as ASCII until the first other byte decides; undecodable bytes become lone surrogates."""

    def __init__(self, head: bytes) -> None:
        if head.startswith(_UTF32_BOMS):
            raise UnreadableFile("The file is in UTF-32; send it in UTF-8.", byte=0)
        mark = next(((bom, name) for bom, name in _BOMS if head.startswith(bom)), None)
        self._skip = len(mark[0]) if mark else 0
        name = mark[1] if mark else _utf16_without_mark(head)
        self._decoder = _incremental(name) if name else None
        sample = head[self._skip :].decode(name or "latin-1", "replace")
        if len(_CONTROL.findall(sample)) > max(_BINARY_SHARE * len(sample), _FEW_CONTROLS):
            raise UnreadableFile("The file is no text: it holds too many control characters.", byte=0)

    def decode(self, content: bytes, is_last: bool) -> str:
        if self._skip:
            content, self._skip = content[self._skip :], 0
        if self._decoder is None:
            if content.isascii():
                return content.decode("ascii")
            self._decoder = _incremental(_encoding_of(content))
        try:
            return self._decoder.decode(content, is_last)
        except UnicodeDecodeError:
            # UTF-16 that ends in half a character; the mark makes its row a bad one.
            self._decoder.reset()
            return "\udcff"


def _incremental(name: str) -> codecs.IncrementalDecoder:
    errors = "surrogatepass" if name.startswith("utf-16") else "surrogateescape"
    return codecs.getincrementaldecoder(name)(errors)


def _utf16_without_mark(head: bytes) -> str | None:
    if len(head) < 4:
        return None
    pairs = len(head) // 2
    if head[1::2].count(0) > _UTF16_ZEROS * pairs:
        return "utf-16-le"
    return "utf-16-be" if head[0::2].count(0) > _UTF16_ZEROS * pairs else None


def _encoding_of(content: bytes) -> str:
    """UTF-8 unless more bytes speak against it than characters for it; then Windows-1252, or Latin-1 where that has gaps."""
    text, _ = codecs.utf_8_decode(content, "surrogateescape", False)
    undecoded = len(_UNDECODED.findall(text))
    others = len(text) - len(text.encode("ascii", "ignore")) - undecoded
    if undecoded <= others:
        return "utf-8"
    return "latin-1" if any(byte in content for byte in b"\x81\x8d\x8f\x90\x9d") else "cp1252"
