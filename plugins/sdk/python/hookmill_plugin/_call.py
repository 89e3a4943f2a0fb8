"""Calls the author's functions and reports any exception with its message and location."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import _host, exact, log
from .contract import Binary, Delivery, Description, Failure, Fields, Form, Json, Outcome, Request, Skip, Text

Describe = Callable[[], Description]
Transform = Callable[[Delivery, Any], Outcome]

_ALONE = re.compile("[\ud800-\udfff]")
_OWN = os.path.dirname(__file__)
_STANDARD = os.path.dirname(os.__file__)
# componentize-py numbers the folders that it collects modules from: `/0/plugin.py`.
_FOLDER = re.compile(r'(?:^|(?<=  File "))/\d+/', re.MULTILINE)
_FRAMES_MAX = 20


def export(describe: Describe, transform: Transform) -> Any:
    """Returns the class that componentize-py expects under the name `Transformer`; `None` outside a component."""
    try:
        import wit_world  # noqa: F401: exists only while a component is built
    except ImportError:
        return None
    from ._component import transformer

    return transformer(describe, transform)


def secret(name: str) -> str:
    """Returns the placeholder of a secret, to be inserted unchanged into a header's value or the body.

    The host replaces it with the secret after the plugin has returned, so the plugin never sees the secret. If the
    subscription has no such secret, the transform fails with a message for the subscription's owner.
    """
    try:
        return _host.current.placeholder(name)
    except LookupError as missing:
        raise Failure(str(missing.args[0])) from None


def call(transform: Transform, delivery: Delivery) -> Outcome:
    """Calls `transform` and returns its outcome with all values in the contract's types. Raises only `Failure`."""
    try:
        return _outcome(transform(delivery, exact.loads(delivery.subscription.config)))
    except Failure as failure:
        raise Failure(utf8(failure.reason, "a failure's reason"), bool(failure.retry)) from None
    except BaseException as error:  # including `sys.exit`, which would trap without a message
        log.error(utf8(_traceback(error), "a traceback"))
        raise Failure(utf8(f"{type(error).__name__}: {error} ({_place(error, transform)})", "a reason")) from None


def _traceback(error: BaseException) -> str:
    """Returns the traceback below this module, innermost frames only: fuel is short after endless recursion."""
    frames, each = [], error.__traceback__
    while each is not None:
        frames.append(each)
        each = each.tb_next
    kept = frames[max(1, len(frames) - _FRAMES_MAX) :]
    text = "".join(traceback.format_exception(error.with_traceback(kept[0] if kept else None)))
    return _FOLDER.sub("", text).rstrip()


def _place(error: BaseException, transform: Transform) -> str:
    """Returns the innermost location in the plugin's own code, or that of `transform` if its result was invalid."""
    frames = traceback.extract_tb(error.__traceback__)
    others = (_OWN, _STANDARD, "/python/", "<")
    places = [(frame.filename, frame.lineno) for frame in frames if not frame.filename.startswith(others)]
    file, line = (places or [(transform.__code__.co_filename, transform.__code__.co_firstlineno)])[-1]
    return f"{_FOLDER.sub('', file)}:{line}"


def _outcome(outcome: Any) -> Outcome:
    if isinstance(outcome, Skip):
        return Skip(utf8(outcome.reason, "a skip's reason"))
    if not isinstance(outcome, Request):
        raise TypeError(f"transform returned {outcome!r}, expected a Request or a Skip")
    if outcome.method is not None:
        utf8(outcome.method, "the method")
    parts = {name: pairs(getattr(outcome, name), name) for name in ("query", "headers", "extra")}
    return replace(outcome, body=_body(outcome.body), **parts)


def _body(body: Any) -> Any:
    if isinstance(body, Json):
        return Json(utf8(body.text, "the body's JSON text"))
    if isinstance(body, Form):
        return Form(pairs(body.fields, "the form"))
    if isinstance(body, Text):
        return Text(utf8(body.text, "the body's text"))
    if isinstance(body, Binary):
        return Binary(utf8(body.content_type, "the content type"), bytes(body.bytes))
    raise TypeError(f"the body is {body!r}, expected a Json, Form, Text or Binary")


def pairs(fields: Fields, what: str) -> list[tuple[str, str]]:
    """Converts fields to the contract's pairs."""
    items = fields.items() if hasattr(fields, "items") else fields
    return [(utf8(name, f"a name in {what}"), utf8(value, f"{what}: {name}")) for name, value in items]


def utf8(text: Any, what: str) -> str:
    """Returns a string that can be encoded as UTF-8: an unpaired surrogate, which JSON allows, becomes U+FFFD."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, got {text!r}")
    return text if text.isascii() else _ALONE.sub("\ufffd", text)
