"""The contract's types in Python. `wit/plugin.wit` documents the meaning and the limits of each field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from . import exact

Fields = Union[Mapping[str, str], Iterable[tuple[str, str]]]
"""Name-value pairs: a dict, or pairs if a name repeats."""


@dataclass(frozen=True)
class Event:
    """An event, as the producer posted it."""

    id: str
    kind: str
    """The event's type, for example `deal.created`."""
    occurred_at: str
    data: str
    """JSON text, as the producer wrote it."""

    def json(self) -> Any:
        """Parses the data; numbers stay as they were written: see `exact`."""
        return exact.loads(self.data)


@dataclass(frozen=True)
class Subscription:
    """The subscription that a delivery belongs to."""

    id: str
    name: str
    content_type: str
    config: str
    """JSON text; `transform` gets it parsed, as its second argument."""


@dataclass(frozen=True)
class Delivery:
    """One attempt at one delivery."""

    id: str
    attempt: int
    space: str
    subscription: Subscription
    events: list[Event]
    """At least one; more only if the subscription batches events."""
    extra: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Json:
    """A body of JSON text, for example from `exact.dumps`."""

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
    """A body of bytes with any content type."""

    content_type: str
    bytes: bytes


Body = Union[Json, Form, Text, Binary]


@dataclass(frozen=True)
class Request:
    """The request to send."""

    body: Body
    headers: Fields = ()
    query: Fields = ()
    method: str | None = None
    """The subscription's own method if `None`."""
    extra: Fields = ()


@dataclass(frozen=True)
class Skip:
    """Sends nothing, for this reason."""

    reason: str


Outcome = Union[Request, Skip]


class Failure(Exception):
    """No request can be produced. With `retry` the delivery is retried on schedule, otherwise it fails permanently."""

    def __init__(self, reason: str, retry: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry


@dataclass(frozen=True)
class Description:
    """A plugin's description of itself."""

    name: str
    version: str
    summary: str
    content_types: list[str]
    config_schema: dict[str, Any] | str = "{}"
    """A JSON Schema, as a dict or as text. `describe` is called once, when the component is built."""
    extra: Fields = ()
