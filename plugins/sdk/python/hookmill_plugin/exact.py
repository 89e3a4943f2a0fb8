"""JSON with the standard library's `json`, whose numbers stay as they were written.

`json.loads` makes a float of 12.50, which is written as 12.5, and infinity of 1e400. Here a number is an `int` where
that is exact, and a `Number` otherwise: a `Decimal` that keeps its text.

    >>> dumps(loads('{"price": 12.50, "id": 12345678901234567890, "huge": 1e400}'))
    '{"price":12.50,"id":12345678901234567890,"huge":1e400}'
    >>> loads("12.50") * 2
    Decimal('25.00')

`json.dumps` refuses a `Number`; `dumps` of this module writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

# Python makes no int of more digits unless it is told to.
_INT_DIGITS_MAX = 4300


class Number(Decimal):
    """A number of JSON text: calculates as a `Decimal`, is written as it was read."""

    text: str

    def __new__(cls, text: str) -> Number:
        try:
            number = super().__new__(cls, text)
        except InvalidOperation:  # an exponent beyond what a Decimal holds: it calculates as the nearest that is held
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
    """Reads JSON text. Of a name that is there twice the first place and the last value stay."""
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """Writes JSON text without spaces, in the dicts' order, with non-ASCII characters as they are."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _whole(text: str) -> int | Number:
    exact = text != "-0" and len(text) <= _INT_DIGITS_MAX
    return int(text) if exact else Number(text)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


_decoder = json.JSONDecoder(parse_int=_whole, parse_float=Number, parse_constant=_no_number)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _write(value: Any, add: Callable[[str], None]) -> None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"JSON has no {value}")
        add(str(value))
    elif isinstance(value, dict):
        before = "{"
        for name, member in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a name in JSON is a text, not {name!r}")
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
