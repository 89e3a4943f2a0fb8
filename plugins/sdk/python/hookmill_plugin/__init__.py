"""What a Hookmill plugin in Python needs beside its own code.

A plugin is a module `plugin` with two functions, and a last line that hands them over:

    from hookmill_plugin import Description, Json, Request, exact, export

    def describe():
        return Description("my-plugin", "0.1.0", "What it is for", ["application/json"])

    def transform(delivery, config):
        return Request(Json(exact.dumps(delivery.events[0].json())))

    Transformer = export(describe, transform)

`transform` returns a `Request` or a `Skip`, or raises a `Failure`. Any other exception becomes a failure whose reason
is the exception's text and place; its traceback goes to the plugin's log, and so does what is printed.

Import modules at the top of a file: what is imported then becomes a part of the component, and there are no files to
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
