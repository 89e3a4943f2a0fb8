"""The plugin as a component: converts from and to the bindings that componentize-py generates from the WIT."""

from __future__ import annotations

import io
import linecache
import re
import sys
import time
from datetime import datetime
from typing import Any

from componentize_py_types import Err
from wit_world.imports import log as wit_log
from wit_world.imports import secrets as wit_secrets
from wit_world.imports import types as wit

from . import _host, exact
from ._call import Describe, Transform, call, pairs, utf8
from .contract import Delivery, Description, Event, Failure, Form, Json, Skip, Subscription, Text


class Component:
    """The host, as imported by a component."""

    def write(self, level: str, message: str) -> None:
        wit_log.write(wit_log.Level[level.upper()], utf8(message, "a log line"))

    def placeholder(self, name: str) -> str:
        try:
            return wit_secrets.placeholder(utf8(name, "a secret's name"))
        except Err as error:
            raise LookupError(error.value) from None


def transformer(describe: Describe, transform: Transform) -> type:
    """Returns the class that implements the contract's interface."""
    _host.current = Component()
    sys.stdout, sys.stderr = _Lines("info"), _Lines("warn")
    _keep_sources()
    # Called here, while the component is built: an error in it fails the build, with a traceback.
    description = _description(describe())
    # Its state is part of the component, so without seeding all deliveries would get the same numbers.
    random = sys.modules.get("random")
    if random:
        # The first seeding with a string imports a module, and a component has no files to import from.
        random.seed("")

    class Transformer:
        def describe(self) -> wit.Description:
            return description

        def transform(self, delivery: wit.Delivery) -> Any:
            if random:
                random.seed(delivery.id)
            _stand_still(delivery.events[-1].occurred_at)
            try:
                outcome = call(transform, _delivery(delivery))
            except Failure as failure:
                raise Err(wit.Failure(failure.reason, failure.retry)) from None
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
            if isinstance(outcome, Skip):
                return wit.Outcome_Skip(outcome.reason)
            query, headers, extra = outcome.query, outcome.headers, outcome.extra
            return wit.Outcome_Deliver(wit.Request(outcome.method, query, headers, _body(outcome.body), extra))

    return Transformer


class _Lines(io.TextIOBase):
    """A stream that writes its lines to the attempt's log: a component has no standard output."""

    def __init__(self, level: str) -> None:
        self.level, self.begun = level, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            _host.current.write(self.level, utf8(line, "a printed line"))
        return len(text)

    def flush(self) -> None:
        if self.begun:
            self.write("\n")


def _stand_still(occurred_at: str) -> None:
    """Stops the clocks of `time` at the event's time."""
    seconds = datetime.fromisoformat(occurred_at).timestamp()
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        setattr(time, name, lambda: seconds)
        setattr(time, f"{name}_ns", lambda: round(seconds * 1_000_000) * 1000)
    time.sleep = lambda _: None


def _description(it: Description) -> wit.Description:
    texts = {name: utf8(getattr(it, name), name) for name in ("name", "version", "summary")}
    types = [utf8(content_type, "a content type") for content_type in it.content_types]
    schema = it.config_schema if isinstance(it.config_schema, str) else exact.dumps(it.config_schema)
    return wit.Description(**texts, content_types=types, config_schema=schema, extra=pairs(it.extra, "extra"))


def _delivery(given: wit.Delivery) -> Delivery:
    owner = given.subscription
    subscription = Subscription(owner.id, owner.name, owner.content_type, owner.config)
    events = [Event(event.id, event.kind, event.occurred_at, event.data) for event in given.events]
    return Delivery(given.id, given.attempt, given.space, subscription, events, given.extra)


def _body(body: Any) -> Any:
    if isinstance(body, Json):
        return wit.Body_Json(body.text)
    if isinstance(body, Form):
        return wit.Body_Form(body.fields)
    if isinstance(body, Text):
        return wit.Body_Text(body.text)
    return wit.Body_Binary(wit.Binary(body.content_type, body.bytes))


def _keep_sources() -> None:
    """Keeps the plugin's source lines for tracebacks: a component has no files, and looking for one traps."""
    linecache.updatecache = lambda *_: []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and re.match(r"/\d+/", file):
            with open(file, encoding="utf-8") as source:
                lines = source.readlines()
            # Without a modification time, linecache does not check whether the file changed.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
