"""Calls the author's functions, so that whatever they raise reaches the author with its text and place."""

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
# componentize-py numbers the folders that it takes modules from: `/0/plugin.py`.
_FOLDER = re.compile(r'(?:^|(?<=  File "))/\d+/', re.MULTILINE)
_FRAMES_MAX = 20


def export(describe: Describe, transform: Transform) -> Any:
    """The class that componentize-py looks for under the name `Transformer`; outside a component it is of no use."""
    try:
        import wit_world  # noqa: F401: only the build of a component has it
    except ImportError:
        return None
    from ._component import transformer

    return transformer(describe, transform)


def secret(name: str) -> str:
    """The placeholder of the subscription's secret of that name, to be put as it is into a header's value or the body.

    The host puts the secret in its place once the plugin has ended: no plugin sees it. Without such a secret the
    transform fails with words for the subscription's owner.
    """
    try:
        return _host.current.placeholder(name)
    except LookupError as missing:
        raise Failure(str(missing.args[0])) from None


def call(transform: Transform, delivery: Delivery) -> Outcome:
    """What `transform` makes of a delivery, in the contract's own shape. Raises nothing but `Failure`."""
    try:
        return _outcome(transform(delivery, exact.loads(delivery.subscription.config)))
    except Failure as failure:
        raise Failure(utf8(failure.reason, "a failure's reason"), bool(failure.retry)) from None
    except BaseException as error:  # a `sys.exit` too would be a trap without a word
        log.error(utf8(_traceback(error), "a traceback"))
        raise Failure(utf8(f"{type(error).__name__}: {error} ({_place(error, transform)})", "a reason")) from None


def _traceback(error: BaseException) -> str:
    """The traceback from below this module, its innermost frames alone: fuel is short after endless recursion."""
    frames, each = [], error.__traceback__
    while each is not None:
        frames.append(each)
        each = each.tb_next
    kept = frames[max(1, len(frames) - _FRAMES_MAX) :]
    text = "".join(traceback.format_exception(error.with_traceback(kept[0] if kept else None)))
    return _FOLDER.sub("", text).rstrip()


def _place(error: BaseException, transform: Transform) -> str:
    """The innermost file and line in the plugin's own code; if there is none, what it returned was wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    others = (_OWN, _STANDARD, "/python/", "<")
    places = [(frame.filename, frame.lineno) for frame in frames if not frame.filename.startswith(others)]
    file, line = (places or [(transform.__code__.co_filename, transform.__code__.co_firstlineno)])[-1]
    return f"{_FOLDER.sub('', file)}:{line}"


def _outcome(outcome: Any) -> Outcome:
    if isinstance(outcome, Skip):
        return Skip(utf8(outcome.reason, "a skip's reason"))
    if not isinstance(outcome, Request):
        raise TypeError(f"transform returned {outcome!r}, which is neither a Request nor a Skip")
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
    raise TypeError(f"the body is {body!r}, which is no Json, Form, Text or Binary")


def pairs(fields: Fields, what: str) -> list[tuple[str, str]]:
    """Fields as the contract has them."""
    items = fields.items() if hasattr(fields, "items") else fields
    return [(utf8(name, f"a name in {what}"), utf8(value, f"{what}: {name}")) for name, value in items]


def utf8(text: Any, what: str) -> str:
    """A text that UTF-8 can hold: half a surrogate pair, which JSON allows, becomes U+FFFD."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a text and is {text!r}")
    return text if text.isascii() else _ALONE.sub("\ufffd", text)
