"""JSON based on the standard library's `json`, with numbers that stay as they were written.

`json.loads` turns 12.50 into a float, which is written as 12.5, and 1e400 into infinity. Here a number is an `int` if
that is exact, and otherwise a `Number`: a `Decimal` that keeps its text.

    >>> dumps(loads('{"price": 12.50, "id": 12345678901234567890, "huge": 1e400}'))
    '{"price":12.50,"id":12345678901234567890,"huge":1e400}'
    >>> loads("12.50") * 2
    Decimal('25.00')

`json.dumps` raises a `TypeError` for a `Number`; `dumps` of this module writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

# Python's default limit for converting a string to an int.
_INT_DIGITS_MAX = 4300


class Number(Decimal):
    """A JSON number: calculates as a `Decimal`, and is written as it was read."""

    text: str

    def __new__(cls, text: str) -> Number:
        try:
            number = super().__new__(cls, text)
        except InvalidOperation:  # the exponent exceeds a Decimal's: use the nearest value for calculations
            nearest = "0" if "e-" in text.lower() or not text.lower().partition("e")[0].strip("-0.") else "Infinity"
            number = super().__new__(cls, ("-" if text.startswith("-") else "") + nearest)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __format__(self, spec: str, *rest: Any) -> str:
        return super().__format__(spec, *rest) if spec else self.text

    def __copy__(self) -> Number:
        return self

    def __deepcopy__(self, memo: Any) -> Number:
        return self


def loads(text: str) -> Any:
    """Parses JSON text. A duplicate name keeps its first position and gets its last value."""
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """Serializes to JSON text without spaces, in the dicts' order, with non-ASCII characters unescaped."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _whole(text: str) -> int | Number:
    exact = text != "-0" and len(text) <= _INT_DIGITS_MAX
    return int(text) if exact else Number(text)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_int=_whole, parse_float=Number, parse_constant=_no_number)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _write(value: Any, add: Callable[[str], None]) -> None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a JSON number")
        add(str(value))
    elif isinstance(value, dict):
        before = "{"
        for name, member in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a name in JSON must be a str, got {name!r}")
            add(f"{before}{_encode(name)}:")
            _write(member, add)
            before = ","
        add("}" if value else "{}")
    elif isinstance(value, (list, tuple)):
        before = "["
        for item in value:
            add(before)
            _write(item, add)
            before = ","
        add("]" if value else "[]")
    else:
        add(_encode(value))
