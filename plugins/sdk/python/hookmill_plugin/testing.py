"""For a plugin's own tests, with unittest or pytest: calls its transform as the host does, without a build.

    from hookmill_plugin.testing import delivery, run

    made = run(plugin.transform, delivery({"deal": {"id": 7}}, config={"source": "crm"}))
    made.request.body, made.failure, made.logs
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import _host, exact
from ._call import Transform, call
from .contract import Delivery, Event, Failure, Request, Skip, Subscription


@dataclass
class Made:
    """The result of a call: one of `request`, `skip` and `failure`, and the log."""

    request: Request | None = None
    skip: str | None = None
    failure: Failure | None = None
    logs: list[tuple[str, str]] = field(default_factory=list)


def event(data: Any, id: str = "evt_test", kind: str = "deal.created", at: str = "2026-04-29T11:13:55Z") -> Event:
    """Returns an event. `data` is JSON text, or a value that is serialized to it."""
    return Event(id, kind, at, data if isinstance(data, str) else exact.dumps(data))


def delivery(*data: Any, config: Any = None, attempt: int = 1, content_type: str = "application/json") -> Delivery:
    """Returns a delivery of events, each an `event(…)` or the data of one. `config` is text or a value, like data."""
    events = [each if isinstance(each, Event) else event(each) for each in data]
    config = config if isinstance(config, str) else exact.dumps(config or {})
    return Delivery("dlv_test", attempt, "test", Subscription("sub_test", "Test", content_type, config), events)


def run(transform: Transform, given: Delivery, secrets: Iterable[str] = ()) -> Made:
    """Calls `transform`. A secret's placeholder is `{{secret:name}}`, as in golden pairs."""
    made = Made()
    before, _host.current = _host.current, _Recorder(made, set(secrets))
    try:
        outcome = call(transform, given)
    except Failure as failure:
        made.failure = failure
    else:
        made.skip = outcome.reason if isinstance(outcome, Skip) else None
        made.request = outcome if isinstance(outcome, Request) else None
    finally:
        _host.current = before
    return made


class _Recorder:
    def __init__(self, made: Made, secrets: set[str]) -> None:
        self.made = made
        self.secrets = secrets

    def write(self, level: str, message: str) -> None:
        self.made.logs.append((level, message))

    def placeholder(self, name: str) -> str:
        if name not in self.secrets:
            raise LookupError(f"the subscription has no secret `{name}`")
        return f"{{{{secret:{name}}}}}"
