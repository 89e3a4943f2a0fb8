#include "hookmill.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reason of the failure or the skip. */
static hookmill_text reason;
static bool again;

static hookmill_text format_list(const char *format, va_list list) {
  /* Formatting is expensive; most texts fit at the first attempt. */
  size_t room = 128;
  char *made = malloc(room);
  va_list twice;
  va_copy(twice, list);
  int length = made ? vsnprintf(made, room, format, list) : -1;
  if (length >= (int)room) {
    made = malloc((size_t)length + 1);
    length = made ? vsnprintf(made, (size_t)length + 1, format, twice) : -1;
  }
  va_end(twice);
  /* Without memory, fall back to the format itself. */
  return length < 0 ? hookmill_text_of(format) : (hookmill_text){(uint8_t *)made, (size_t)length};
}

/* Formats `format` and the arguments after it into `made`. */
#define FORMATTED(made)              \
  va_list list;                      \
  va_start(list, format);            \
  hookmill_text made = format_list(format, list); \
  va_end(list)

hookmill_outcome hookmill_fail(const char *format, ...) {
  FORMATTED(made);
  reason = made;
  again = false;
  return HOOKMILL_FAIL;
}

hookmill_outcome hookmill_retry(const char *format, ...) {
  FORMATTED(made);
  reason = made;
  again = true;
  return HOOKMILL_FAIL;
}

hookmill_outcome hookmill_skip(const char *format, ...) {
  FORMATTED(made);
  reason = made;
  return HOOKMILL_SKIP;
}

void hookmill_debug(const char *format, ...) {
  FORMATTED(line);
  hookmill_plugin_log_write(HOOKMILL_PLUGIN_LOG_LEVEL_DEBUG, &line);
}

void hookmill_info(const char *format, ...) {
  FORMATTED(line);
  hookmill_plugin_log_write(HOOKMILL_PLUGIN_LOG_LEVEL_INFO, &line);
}

void hookmill_warn(const char *format, ...) {
  FORMATTED(line);
  hookmill_plugin_log_write(HOOKMILL_PLUGIN_LOG_LEVEL_WARN, &line);
}

void hookmill_error(const char *format, ...) {
  FORMATTED(line);
  hookmill_plugin_log_write(HOOKMILL_PLUGIN_LOG_LEVEL_ERROR, &line);
}

_Noreturn void hookmill_panic_at(const char *file, int line, const char *format, ...) {
  FORMATTED(text);
  hookmill_error("%.*s, at %s:%d", HOOKMILL_ARG(text), file, line);
  /* Not abort(), which would log a message of its own. */
  __builtin_trap();
}

hookmill_text hookmill_text_of(const char *terminated) {
  return (hookmill_text){(uint8_t *)terminated, strlen(terminated)};
}

hookmill_text hookmill_format(const char *format, ...) {
  FORMATTED(made);
  return made;
}

bool hookmill_equal(hookmill_text a, hookmill_text b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Makes room for `more` items after `length`. The capacity is always the smallest power of two, at least 16, that holds
 * the length, so it need not be stored. */
static void *with_room(void *items, size_t length, size_t more, size_t item_bytes) {
  size_t room = 16;
  while (room < length) room *= 2;
  if (length > 0 && length + more <= room) return items;
  while (room < length + more) room *= 2;
  void *moved = realloc(items, room * item_bytes);
  if (!moved) hookmill_panic("out of memory");
  return moved;
}

void hookmill_append(hookmill_text *to, hookmill_text more) {
  if (more.len == 0) return;
  to->ptr = with_room(to->ptr, to->len, more.len, 1);
  memcpy(to->ptr + to->len, more.ptr, more.len);
  to->len += more.len;
}

void hookmill_add(hookmill_fields *fields, const char *name, hookmill_text value) {
  fields->ptr = with_room(fields->ptr, fields->len, 1, sizeof *fields->ptr);
  fields->ptr[fields->len++] = (plugin_tuple2_string_string_t){hookmill_text_of(name), value};
}

void hookmill_add_content_type(hookmill_description *description, const char *content_type) {
  plugin_list_string_t *types = &description->content_types;
  types->ptr = with_room(types->ptr, types->len, 1, sizeof *types->ptr);
  types->ptr[types->len++] = hookmill_text_of(content_type);
}

void hookmill_json_body(hookmill_request *request, hookmill_text json) {
  request->body.tag = HOOKMILL_PLUGIN_TYPES_BODY_JSON;
  request->body.val.json = json;
}

void hookmill_form_body(hookmill_request *request, hookmill_fields form) {
  request->body.tag = HOOKMILL_PLUGIN_TYPES_BODY_FORM;
  request->body.val.form = form;
}

void hookmill_text_body(hookmill_request *request, hookmill_text text) {
  request->body.tag = HOOKMILL_PLUGIN_TYPES_BODY_TEXT;
  request->body.val.text = text;
}

void hookmill_binary_body(hookmill_request *request, const char *content_type, hookmill_text bytes) {
  request->body.tag = HOOKMILL_PLUGIN_TYPES_BODY_BINARY;
  request->body.val.binary.content_type = hookmill_text_of(content_type);
  request->body.val.binary.bytes = (plugin_list_u8_t){bytes.ptr, bytes.len};
}

void hookmill_method(hookmill_request *request, const char *method) {
  request->method.is_some = true;
  request->method.val = hookmill_text_of(method);
}

bool hookmill_secret(const char *name, hookmill_text *placeholder) {
  hookmill_text wanted = hookmill_text_of(name);
  again = false;
  return hookmill_plugin_secrets_placeholder(&wanted, placeholder, &reason);
}

/* The contract's exports, which the bindings call. */

void exports_hookmill_plugin_transformer_describe(hookmill_description *description) {
  memset(description, 0, sizeof *description);
  description->config_schema = hookmill_text_of("{}");
  describe(description);
}

#ifdef __wasm__
void hookmill_flush(void);
/* The bindings refer to an object file with the component's type, which `hookmill plugin build` takes from the WIT. */
void __component_type_object_force_link_plugin(void) {}
#endif

bool exports_hookmill_plugin_transformer_transform(hookmill_delivery *delivery,
                                                   exports_hookmill_plugin_transformer_outcome_t *ret,
                                                   exports_hookmill_plugin_transformer_failure_t *err) {
  memset(ret, 0, sizeof *ret);
  hookmill_request request = {0};
  hookmill_outcome outcome = transform(delivery, &request);
#ifdef __wasm__
  hookmill_flush();
#endif
  switch (outcome) {
    case HOOKMILL_DELIVER:
      ret->tag = HOOKMILL_PLUGIN_TYPES_OUTCOME_DELIVER;
      ret->val.deliver = request;
      return true;
    case HOOKMILL_SKIP:
      ret->tag = HOOKMILL_PLUGIN_TYPES_OUTCOME_SKIP;
      ret->val.skip = reason;
      return true;
    case HOOKMILL_FAIL:
      break;
  }
  err->reason = reason.len > 0 ? reason : hookmill_text_of("transform returned HOOKMILL_FAIL without a reason");
  err->retry = again;
  return false;
}
