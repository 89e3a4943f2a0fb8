"""The plugin as a component: from the bindings that componentize-py makes of the WIT, and back."""

from __future__ import annotations

import linecache
import re
import sys
from typing import Any

from componentize_py_types import Err
from wit_world.imports import log as wit_log
from wit_world.imports import secrets as wit_secrets
from wit_world.imports import types as wit

from . import _host, exact, log
from ._call import Describe, Transform, call, pairs
from .contract import Binary, Delivery, Event, Failure, Form, Json, Skip, Subscription, Text


class Component:
    """The host that a component is called by."""

    def write(self, level: str, message: str) -> None:
        wit_log.write(wit_log.Level[level.upper()], message)

    def placeholder(self, name: str) -> str:
        try:
            return wit_secrets.placeholder(name)
        except Err as error:
            raise LookupError(error.value) from None


def transformer(describe: Describe, transform: Transform) -> type:
    """The class that stands for the contract's interface."""
    _host.current = Component()
    _keep_sources()

    class Transformer:
        def describe(self) -> wit.Description:
            it = describe()
            schema = it.config_schema if isinstance(it.config_schema, str) else exact.dumps(dict(it.config_schema))
            extra = pairs(it.extra, "extra")
            return wit.Description(it.name, it.version, it.summary, list(it.content_types), schema, extra)

        def transform(self, delivery: wit.Delivery) -> Any:
            try:
                outcome = call(transform, _delivery(delivery))
            except Failure as failure:
                raise Err(wit.Failure(failure.reason, failure.retry)) from None
            if isinstance(outcome, Skip):
                return wit.Outcome_Skip(outcome.reason)
            query, headers, extra = outcome.query, outcome.headers, outcome.extra
            return wit.Outcome_Deliver(wit.Request(outcome.method, query, headers, _body(outcome.body), extra))

    return Transformer


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
    """Keeps the plugin's source lines for tracebacks: a component has no files to look them up in."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and re.match(r"/\d+/", file):
            with open(file, encoding="utf-8") as source:
                lines = source.readlines()
            # Without a time of change, linecache does not look whether the file changed.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
