"""SDK for Hookmill plugins in Python.

A plugin is a module `plugin` with two functions, which its last line exports:

    from hookmill_plugin import Description, Json, Request, exact, export

    def describe():
        return Description("my-plugin", "0.1.0", "Forwards events", ["application/json"])

    def transform(delivery, config):
        return Request(Json(exact.dumps(delivery.events[0].json())))

    Transformer = export(describe, transform)

`transform` returns a `Request` or a `Skip`, or raises a `Failure`. Any other exception becomes a failure whose reason
is the exception's message and location; its traceback goes to the attempt's log, and so does the output of `print`.

Import modules at the top of a file: they become part of the component when it is built, and there are no files to
import from when it runs.
"""

from . import exact, log
from ._call import export, secret
from .contract import (
    Binary,
    Body,
    Delivery,
    Description,
    Event,
    Failure,
    Form,
    Json,
    Outcome,
    Request,
    Skip,
    Subscription,
    Text,
)

__all__ = [
    "Binary",
    "Body",
    "Delivery",
    "Description",
    "Event",
    "Failure",
    "Form",
    "Json",
    "Outcome",
    "Request",
    "Skip",
    "Subscription",
    "Text",
    "exact",
    "export",
    "log",
    "secret",
]
