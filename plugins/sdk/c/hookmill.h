/* SDK for Hookmill plugins in C.
 *
 * A plugin defines `describe` and `transform`:
 *
 *     #include "hookmill.h"
 *
 *     void describe(hookmill_description *it) {
 *       it->name = hookmill_text_of("my-plugin");
 *       it->version = hookmill_text_of("0.1.0");
 *       it->summary = hookmill_text_of("Forwards events");
 *       hookmill_add_content_type(it, "application/json");
 *     }
 *
 *     hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request) {
 *       hookmill_json_body(request, delivery->events.ptr[0].data);
 *       return HOOKMILL_DELIVER;
 *     }
 *
 * `wit/plugin.wit` documents the meaning and the limits of the fields. Their types are in `bindings/plugin.h`, which
 * wit-bindgen generates, and have shorter names here.
 *
 * Memory need not be freed: an instance lives for one call, and its memory is released with it. `malloc` never reuses
 * memory. `printf` writes to the attempt's log, and so does a failed `assert`, with its location. */

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

/* The result of `transform`: `return HOOKMILL_DELIVER;` sends the request, `return hookmill_skip(…)` sends nothing. */
typedef enum { HOOKMILL_DELIVER, HOOKMILL_SKIP, HOOKMILL_FAIL } hookmill_outcome;

/* The two functions of a plugin. Their last argument is zeroed, except that `describe`'s has the schema `{}`. */
void describe(hookmill_description *description);
hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request);

#define HOOKMILL_PRINTF __attribute__((format(printf, 1, 2)))

/* No request can be produced, for this reason: fails permanently, or is retried on schedule. */
hookmill_outcome hookmill_fail(const char *format, ...) HOOKMILL_PRINTF;
hookmill_outcome hookmill_retry(const char *format, ...) HOOKMILL_PRINTF;
/* Sends nothing, for this reason. */
hookmill_outcome hookmill_skip(const char *format, ...) HOOKMILL_PRINTF;

/* Writes a line to the attempt's log, which the subscription's owner reads. */
void hookmill_debug(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_info(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_warn(const char *format, ...) HOOKMILL_PRINTF;
void hookmill_error(const char *format, ...) HOOKMILL_PRINTF;

/* Ends the plugin immediately; its log has the text, file and line. */
#define hookmill_panic(...) hookmill_panic_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void hookmill_panic_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The arguments for a text in a printf format: `hookmill_info("%.*s", HOOKMILL_ARG(event->id))`. */
#define HOOKMILL_ARG(text) (int)(text).len, (const char *)(text).ptr

/* Returns a terminated string as a text, without copying it. */
hookmill_text hookmill_text_of(const char *terminated);
/* Returns a new text, formatted as by printf. */
hookmill_text hookmill_format(const char *format, ...) HOOKMILL_PRINTF;
bool hookmill_equal(hookmill_text a, hookmill_text b);
/* Appends to a text that is empty or built only by this function: `hookmill_text all = {0};`. */
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

/* Gets the placeholder of a secret, to be inserted unchanged into a header's value or the body. The host replaces it
 * with the secret after the plugin has returned. Returns false if the subscription has no such secret; then
 *
 *     if (!hookmill_secret("api-key", &key)) return HOOKMILL_FAIL;
 *
 * fails with a message for the subscription's owner. */
bool hookmill_secret(const char *name, hookmill_text *placeholder);

#endif
