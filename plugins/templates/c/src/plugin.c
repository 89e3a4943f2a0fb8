/* A Livespace deal as the flat JSON object that Zapier expects. */

#include "hookmill.h"
#include "hookmill_json.h"

void describe(hookmill_description *it) {
  it->name = hookmill_text_of("my-plugin");
  it->version = hookmill_text_of("0.1.0");
  it->summary = hookmill_text_of("A Livespace deal as the flat JSON object that Zapier expects");
  hookmill_add_content_type(it, "application/json");
  it->config_schema = hookmill_text_of(
      "{\"type\":\"object\","
      "\"properties\":{\"source\":{\"type\":\"string\",\"default\":\"livespace\"}},"
      "\"additionalProperties\":false}");
}

/* Inserts a value under its name; members and items get names joined with `__`. */
static void flatten(hookmill_json *flat, hookmill_text name, const hookmill_json *value) {
  if (value->kind != HOOKMILL_OBJECT && value->kind != HOOKMILL_ARRAY) {
    hookmill_json_set(flat, name, value);
    return;
  }
  if (value->count == 0) hookmill_json_set(flat, name, hookmill_json_new(HOOKMILL_NULL));
  size_t position = 0;
  for (const hookmill_json *each = value->first; each; each = each->next, position++) {
    hookmill_text below = value->kind == HOOKMILL_OBJECT ? each->name : hookmill_format("%zu", position);
    hookmill_text key = {0};
    hookmill_append(&key, name);
    hookmill_append(&key, hookmill_text_of("__"));
    hookmill_append(&key, below);
    flatten(flat, key, each);
  }
}

static void set_text(hookmill_json *object, const char *name, hookmill_text text) {
  hookmill_json_set(object, hookmill_text_of(name), hookmill_json_string(text));
}

hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request) {
  if (delivery->events.len > 1)
    return hookmill_fail("this plugin takes one event, the delivery has %zu: turn off the subscription's batching",
                         delivery->events.len);
  const hookmill_event *event = &delivery->events.ptr[0];
  const hookmill_json *data = hookmill_json_read(event->data);
  if (!data || data->kind != HOOKMILL_OBJECT) return hookmill_fail("the event's data is not a JSON object");

  hookmill_json *flat = hookmill_json_new(HOOKMILL_OBJECT);
  set_text(flat, "id", event->id);
  set_text(flat, "type", event->kind);
  set_text(flat, "occurred_at", event->occurred_at);
  for (const hookmill_json *each = data->first; each; each = each->next) flatten(flat, each->name, each);

  const hookmill_json *config = hookmill_json_read(delivery->subscription.config);
  hookmill_add(&request->headers, "x-source", hookmill_json_get_text(config, "source", "livespace"));
  hookmill_json_body(request, hookmill_json_write(flat));
  hookmill_info("deal %.*s", HOOKMILL_ARG(event->id));
  return HOOKMILL_DELIVER;
}
