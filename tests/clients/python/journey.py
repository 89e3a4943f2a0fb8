"""Runs one event through a host, with the client that openapi-python-client generates from openapi.json.

`.ci/openapi` generates the client as the package `hookmill_client`, checks this program with `mypy --strict`, and runs
it with HOOKMILL_URL and HOOKMILL_KEY (an admin key) set.
"""

import os
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

import httpx
from hookmill_client import AuthenticatedClient
from hookmill_client.api.deliveries import get_delivery, list_deliveries
from hookmill_client.api.event_types import put_event_type
from hookmill_client.api.events import get_event, post_events
from hookmill_client.api.spaces import change_space, create_space, get_space
from hookmill_client.api.subscriptions import change_subscription, create_subscription, list_subscriptions
from hookmill_client.models import (
    ContentType,
    DeliveryDetails,
    DeliveryPage,
    DeliveryState,
    EventDetails,
    EventInput,
    EventType,
    EventTypeInput,
    HmacAlgorithm,
    HmacSigning,
    HmacSigningScheme,
    Method,
    Outcome,
    Problem,
    ProblemCode,
    Receipt,
    Space,
    SpaceInput,
    SpacePatch,
    StandardAlgorithm,
    StandardSigning,
    StandardSigningScheme,
    Subscription,
    SubscriptionInput,
    SubscriptionPage,
    SubscriptionPatch,
    SubscriptionState,
)

ANSWERED_WITHIN_S = 30
DELIVERED_WITHIN_S = 30

T = TypeVar("T")

received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    """Keeps every request and answers 204."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def a(kind: type[T], answer: object) -> T:
    """Returns the answer as a `kind`, which it must be."""
    assert isinstance(answer, kind), answer
    return answer


def journey(client: AuthenticatedClient, receiver: str) -> None:
    missing = a(Problem, get_space.sync("python", client=client))
    assert (missing.status, missing.code) == (404, ProblemCode.NOT_FOUND), missing

    space = a(Space, create_space.sync(client=client, body=SpaceInput(id="python", name="Python")))
    assert (space.id, space.name) == ("python", "Python"), space
    change = SpacePatch(name="Python client", administrators=["ada@acme.example"])
    space = a(Space, change_space.sync("python", client=client, body=change))
    assert (space.name, space.administrators) == ("Python client", ["ada@acme.example"]), space
    # A patch keeps omitted members; null restores the default.
    space = a(Space, change_space.sync("python", client=client, body=SpacePatch(name=None)))
    assert (space.name, space.administrators) == ("python", ["ada@acme.example"]), space

    kind = EventTypeInput(description="A lead came in.", example={"name": "Anna"})
    a(EventType, put_event_type.sync("python", "lead.created", client=client, body=kind))

    wanted = SubscriptionInput(
        name="Journey",
        url=f"{receiver}/first",
        event_types=["lead.*"],
        condition="event.data.value > 1000",
        method=Method.POST,
        content_type=ContentType.APPLICATIONJSON,
        signing=HmacSigning(
            scheme=HmacSigningScheme.HMAC, header="X-Signature", prefix="sha512=", algorithm=HmacAlgorithm.SHA512
        ),
    )
    subscription = a(Subscription, create_subscription.sync("python", client=client, body=wanted))
    assert subscription.state is SubscriptionState.ACTIVE, subscription
    assert subscription.pause_reason is None, subscription
    assert subscription.method is Method.POST, subscription
    assert a(HmacSigning, subscription.signing).algorithm is HmacAlgorithm.SHA512, subscription

    patch = SubscriptionPatch(
        url=f"{receiver}/second",
        condition=None,
        signing=StandardSigning(scheme=StandardSigningScheme.STANDARD, algorithm=StandardAlgorithm.HMAC_SHA256),
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    subscription = a(Subscription, change_subscription.sync("python", subscription.id, client=client, body=patch))
    assert subscription.url == f"{receiver}/second", subscription
    assert subscription.condition is None, subscription
    assert subscription.event_types == ["lead.*"], subscription
    assert a(StandardSigning, subscription.signing).algorithm is StandardAlgorithm.HMAC_SHA256, subscription

    refused = change_subscription.sync(
        "python", subscription.id, client=client, body=SubscriptionPatch(condition="event.data.value >")
    )
    assert a(Problem, refused).code is ProblemCode.FIELD_INVALID, refused
    assert a(Problem, refused).field == "/condition", refused

    page = a(SubscriptionPage, list_subscriptions.sync("python", client=client, limit=1))
    assert [shown.id for shown in page.data] == [subscription.id], page
    assert page.next_cursor is None, page

    data = {"name": "Anna", "value": 12.5}
    receipt = a(
        Receipt,
        post_events.sync("python", client=client, body=EventInput(type_="lead.created", data=data, id="lead-1")),
    )
    assert (receipt.id, receipt.deliveries) == ("lead-1", 1), receipt
    assert a(EventDetails, get_event.sync("python", "lead-1", client=client)).data == data

    deliveries = a(
        DeliveryPage, list_deliveries.sync("python", client=client, event="lead-1", subscription=subscription.id)
    )
    [summary] = deliveries.data
    delivery = delivered(client, summary.id)
    assert (delivery.event_ids, delivery.attempt_count) == (["lead-1"], 1), delivery
    [attempt] = delivery.attempts
    assert attempt.outcome is Outcome.SUCCEEDED, attempt
    assert attempt.fault is None, attempt
    assert attempt.request is not None and attempt.request.url == subscription.url, attempt
    assert attempt.answer is not None and attempt.answer.status == 204, attempt

    headers, body = received.get(timeout=1)
    assert headers["webhook-id"] == delivery.id, headers
    assert b"Anna" in body, body
    assert received.empty()


def delivered(client: AuthenticatedClient, id: str) -> DeliveryDetails:
    """Reads a delivery until it is delivered."""
    until = time.monotonic() + DELIVERED_WITHIN_S
    while True:
        delivery = a(DeliveryDetails, get_delivery.sync("python", id, client=client))
        if delivery.state is DeliveryState.DELIVERED:
            return delivery
        assert delivery.state is DeliveryState.PENDING and time.monotonic() < until, delivery
        time.sleep(0.1)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = AuthenticatedClient(
        base_url=os.environ["HOOKMILL_URL"],
        token=os.environ["HOOKMILL_KEY"],
        timeout=httpx.Timeout(ANSWERED_WITHIN_S),
        raise_on_unexpected_status=True,
    )
    with client:
        journey(client, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    print("the Python client: created, changed, posted, delivered")


main()
