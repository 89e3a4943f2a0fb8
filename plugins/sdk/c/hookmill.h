/* What a Hookmill plugin in C needs beside its own code.
 *
 * A plugin defines `describe` and `transform`:
 *
 *     #include "hookmill.h"
 *
 *     void describe(hookmill_description *it) {
 *       it->name = hookmill_text_of("my-plugin");
 *       it->version = hookmill_text_of("0.1.0");
 *       it->summary = hookmill_text_of("What it is for");
 *       hookmill_add_content_type(it, "application/json");
 *     }
 *
 *     hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request) {
 *       hookmill_json_body(request, delivery->events.ptr[0].data);
 *       return HOOKMILL_DELIVER;
 *     }
 *
 * What the fields mean and may hold stands in `wit/plugin.wit`; their types are in `bindings/plugin.h`, made by
 * wit-bindgen, and have shorter names here.
 *
 * Nothing needs to be freed: an instance lives for one call, and its memory goes with it. `malloc` gives memory that is
 * never used again. `printf` writes to the plugin's log, as does a failed `assert`, with its place. */

#ifndef HOOKMILL_H
#define HOOKMILL_H

#include <stdbool.h>
#include <stddef.h>

#include "bindings/plugin.h"

/* UTF-8, `len` bytes at `ptr`, not terminated. */
typedef plugin_string_t hookmill_text;
typedef hookmill_plugin_types_fields_t hookmill_fields;
typedef hookmill_plugin_types_event_t hookmill_event;
typedef hookmill_plugin_types_delivery_t hookmill_delivery;
typedef hookmill_plugin_types_request_t hookmill_request;
typedef hookmill_plugin_types_description_t hookmill_description;

/* What `transform` decides: `return HOOKMILL_DELIVER;` sends the request, `return hookmill_skip(…)` nothing. */
typedef enum { HOOKMILL_DELIVER, HOOKMILL_SKIP, HOOKMILL_FAIL } hookmill_outcome;

/* These two are the plugin. Both get their last argument zeroed, `describe` with `{}` as its schema. */
void describe(hookmill_description *description);
hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request);

#define HOOKMILL_PRINTF __attribute__((format(printf, 1, 2)))

/* No request can be made, for this reason: for good, or to be tried again on schedule. */
hookmill_outcome hookmill_fail(const char *format, ...) HOOKMILL_PRINTF;
hookmill_outcome hookmill_retry(const char *format, ...) HOOKMILL_PRINTF;
/* Nothing shall be sent, for this reason. */
hookmill_outcome hookmill_skip(const char *format, ...) HOOKMILL_PRINTF;

/* A line in the plugin's log, which the subscription's owner reads. */
void hookmill_debug(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_info(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_warn(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_error(const char *format, ...) HOOKMILL_PRINTF;

/* Ends the plugin at once; text, file and line stand in its log. */
#define hookmill_panic(...) hookmill_panic_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void hookmill_panic_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text within a printf format: `hookmill_info("%.*s", HOOKMILL_ARG(event->id))`. */
#define HOOKMILL_ARG(text) (int)(text).len, (const char *)(text).ptr

/* A terminated string as a text, without copying it. */
hookmill_text hookmill_text_of(const char *terminated);
/* A new text, as printf makes it. */
hookmill_text hookmill_format(const char *format, ...) HOOKMILL_PRINTF;
bool hookmill_equal(hookmill_text a, hookmill_text b);
/* Appends to a text that `append` alone made, starting from an empty one: `hookmill_text all = {0};`. */
void hookmill_append(hookmill_text *to, hookmill_text more);

/* Appends to `request->headers`, `request->query`, or the fields of a form. */
void hookmill_add(hookmill_fields *fields, const char *name, hookmill_text value);
void hookmill_add_content_type(hookmill_description *description, const char *content_type);

/* Sets the request's body. */
void hookmill_json_body(hookmill_request *request, hookmill_text json);
void hookmill_form_body(hookmill_request *request, hookmill_fields form);
void hookmill_text_body(hookmill_request *request, hookmill_text text);
void hookmill_binary_body(hookmill_request *request, const char *content_type, hookmill_text bytes);
void hookmill_method(hookmill_request *request, const char *method);

/* The placeholder of the subscription's secret of that name, to be put as it is into a header's value or the body. The
 * host puts the secret in its place once the plugin has ended. If there is none:
 *
 *     if (!hookmill_secret("api-key", &key)) return HOOKMILL_FAIL;
 *
 * fails with words for the subscription's owner. */
bool hookmill_secret(const char *name, hookmill_text *placeholder);

#endif
