"""The contract's types, as Python has them. What each field means and may hold stands in `wit/plugin.wit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from . import exact

Fields = Union[Mapping[str, str], Iterable[tuple[str, str]]]
"""Names with values: a dict, or pairs where a name repeats."""


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    id: str
    kind: str
    """Its type, for example `deal.created`."""
    occurred_at: str
    data: str
    """JSON text, as the producer wrote it."""

    def json(self) -> Any:
        """The data, read with numbers that stay as they were written: see `exact`."""
        return exact.loads(self.data)


@dataclass(frozen=True)
class Subscription:
    """Whose delivery this is."""

    id: str
    name: str
    content_type: str
    config: str
    """JSON text; `transform` gets it read, as its second argument."""


@dataclass(frozen=True)
class Delivery:
    """One attempt at one delivery."""

    id: str
    attempt: int
    space: str
    subscription: Subscription
    events: list[Event]
    """At least one; more only if the subscription gathers events into batches."""
    extra: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Json:
    """A body of JSON text, such as `exact.dumps` makes."""

    text: str


@dataclass(frozen=True)
class Form:
    """A body of `application/x-www-form-urlencoded`, encoded by the host."""

    fields: Fields


@dataclass(frozen=True)
class Text:
    """A body of `text/plain; charset=utf-8`."""

    text: str


@dataclass(frozen=True)
class Binary:
    """A body of bytes with a content type of its own."""

    content_type: str
    bytes: bytes


Body = Union[Json, Form, Text, Binary]


@dataclass(frozen=True)
class Request:
    """The request that shall be sent."""

    body: Body
    headers: Fields = ()
    query: Fields = ()
    method: str | None = None
    """The subscription's own when absent."""
    extra: Fields = ()


@dataclass(frozen=True)
class Skip:
    """Nothing shall be sent, for this reason."""

    reason: str


Outcome = Union[Request, Skip]


class Failure(Exception):
    """No request can be made. With `retry` the delivery is tried again on schedule, else it has failed for good."""

    def __init__(self, reason: str, retry: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


@dataclass(frozen=True)
class Description:
    """What a plugin says of itself."""

    name: str
    version: str
    summary: str
    content_types: list[str]
    config_schema: dict[str, Any] | str = "{}"
    """A JSON Schema, as a dict or as text. `describe` is asked once, when the component is built."""
    extra: Fields = ()
