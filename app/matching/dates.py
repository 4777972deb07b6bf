"""Dates as `YYYYMMDD`, however they are written."""

from __future__ import annotations

import re

from app.matching.text import to_ascii

_ISO = re.compile(r"^(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_YEAR_FIRST = re.compile(
    r"^(\d{4})(?P<apart>[./ -]| ?[a-z]{1,5} ?)(\d{1,2})(?:[./ -]| ?[a-z]{1,5} ?)(\d{1,2})[ a-z.]*$"
)
_YEAR_LAST = re.compile(
    r"^(\d{1,2}) ?(?P<apart>[./-]) ?(\d{1,2}) ?(?P=apart) ?(\d{4}|\d{2})$|^(\d{1,2}) (\d{1,2}) (\d{4})$"
)
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_WORD = re.compile(r"[a-z]{3,}")
_SHORT_NUMBER = re.compile(r"(?<!\d)(\d{1,2})(?!\d)")
_CLOCK = re.compile(r"[ t]\d{1,2}:\d{2}.*$")
_LAST_OF_THIS_CENTURY = 30
"""A year of two digits up to this one is 20.., the others 19..."""
_MONTHS = (
    "jan yan ene gen sty",
    "feb fev fevr lut",
    "mar maer maar mrt",
    "apr avr abr kwi",
    "may mai mei maj mag maya",
    "jun juin giu iyun cze",
    "jul juil lug iyul lip",
    "aug aou ago avg sie",
    "sep set wrz",
    "oct okt ott out paz",
    "nov noy lis",
    "dec dez dic des dek gru",
)
"""How the names of the months begin in English, German, French, Dutch, the Romance, Nordic and some Slavic languages."""
_MONTH_OF = {start: month for month, starts in enumerate(_MONTHS, start=1) for start in starts.split()}


def date(text: str) -> str:
    """`YYYYMMDD`, `YYYY` when only the year is known, "" when it is no date; `12/31/1999` and `31. Dezember 1999` are one day.

    Of `1/2/2003` the month is first, of `1.2.2003` and `1-2-2003` the day, where both could be.
    """
    found = _ISO.match(text.strip())
    if found:
        return "".join(found.groups())
    plain = _CLOCK.sub("", to_ascii(text).strip().lower())
    year_first = _YEAR_FIRST.match(plain)
    if year_first and not _month_called(year_first["apart"]):
        return _written(year_first[1], int(year_first[3]), int(year_first[4]))
    year_last = _YEAR_LAST.match(plain)
    if year_last:
        first, second, year = filter(None, year_last.group(1, 3, 4, 5, 6, 7))
        month, day = (first, second) if year_last["apart"] == "/" else (second, first)
        return _written(year, int(month), int(day))
    return _spelt(plain)


def _spelt(plain: str) -> str:
    """Of a date whose month is a word, or of a text that holds a year."""
    year = _YEAR.search(plain)
    month = next(filter(None, map(_month_called, _WORD.findall(plain))), 0)
    numbers = [int(number) for number in _SHORT_NUMBER.findall(plain)]
    if year is None or not month or len(numbers) != 1:
        return year[1] if year else ""
    return _written(year[1], month, numbers[0])


def _month_called(word: str) -> int:
    """1 to 12, or 0."""
    word = word.strip()
    return _MONTH_OF.get(word[:4]) or _MONTH_OF.get(word[:3], 0)


def _written(year: str, month: int, day: int) -> str:
    """Month and day change places where only so they can be a date; what can be none has but its year."""
    if month > 12:
        month, day = day, month
    if len(year) == 2:
        year = f"{20 if int(year) <= _LAST_OF_THIS_CENTURY else 19}{year}"
    if 1 <= month <= 12 and 1 <= day <= 31:
        return f"{year}{month:02d}{day:02d}"
    return year if _YEAR.fullmatch(year) else ""
