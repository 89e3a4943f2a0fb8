"""A Livespace deal as the flat JSON object that Zapier expects."""

from hookmill_plugin import Description, Failure, Json, Request, exact, export, log


def describe():
    return Description(
        name="my-plugin",
        version="0.1.0",
        summary="A Livespace deal as the flat JSON object that Zapier expects",
        content_types=["application/json"],
        config_schema={
            "type": "object",
            "properties": {"source": {"type": "string", "default": "livespace"}},
            "additionalProperties": False,
        },
    )


def transform(delivery, config):
    if len(delivery.events) > 1:
        count = len(delivery.events)
        raise Failure(f"this plugin takes one event, the delivery has {count}: turn off the subscription's batching")
    event = delivery.events[0]
    data = event.json()
    if not isinstance(data, dict):
        raise Failure("the event's data is not a JSON object")
    flat = {"id": event.id, "type": event.kind, "occurred_at": event.occurred_at}
    for name, value in data.items():
        flatten(flat, name, value)
    log.info(f"deal {event.id}")
    return Request(Json(exact.dumps(flat)), headers={"x-source": config.get("source", "livespace")})


def flatten(flat, name, value):
    """Inserts a value under its name; members and items get names joined with `__`."""
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    else:
        flat[name] = value
        return
    if not value:
        flat[name] = None
    for member, inner in members:
        flatten(flat, f"{name}__{member}", inner)


Transformer = export(describe, transform)
