/* JSON as a tree with numbers that stay as they were written.
 *
 * The usual C libraries do not fit: cJSON, which Debian packages, converts each number to a double (12.50 becomes 12.5,
 * 12345678901234567890 another number), and is packaged as machine code that a plugin cannot use; yyjson, which can
 * keep numbers, has no package for WebAssembly that a build could depend on by name. */

#ifndef HOOKMILL_JSON_H
#define HOOKMILL_JSON_H

#include "hookmill.h"

typedef enum {
  HOOKMILL_NULL,
  HOOKMILL_FALSE,
  HOOKMILL_TRUE,
  HOOKMILL_NUMBER,
  HOOKMILL_STRING,
  HOOKMILL_ARRAY,
  HOOKMILL_OBJECT,
} hookmill_json_kind;

typedef struct hookmill_json hookmill_json;

/* A value. To iterate over a list or an object: `for (each = value->first; each; each = each->next)`. */
struct hookmill_json {
  hookmill_json_kind kind;
  hookmill_text text;     /* of a string, decoded; of a number, as it was written */
  hookmill_text name;     /* of a member of an object */
  hookmill_json *next;    /* the next item or member */
  hookmill_json *first;   /* of a list or an object */
  hookmill_json *last;
  size_t count;           /* of items or members */
  hookmill_json **index;  /* a large object's members, by their names' hashes */
  size_t index_size;
};

/* Parses JSON text; returns NULL if it is invalid, or nested deeper than 127 levels. A duplicate name keeps its first
 * position and gets its last value. An unpaired surrogate, which UTF-8 cannot encode, becomes U+FFFD. */
hookmill_json *hookmill_json_read(hookmill_text text);

/* Returns a member; NULL if there is none of that name, or `object` is NULL or not an object. */
hookmill_json *hookmill_json_get(const hookmill_json *object, hookmill_text name);
/* Returns a member's text, or `otherwise` if it is not a string. */
hookmill_text hookmill_json_get_text(const hookmill_json *object, const char *name, const char *otherwise);

/* Creates values. A number is given as its text. */
hookmill_json *hookmill_json_new(hookmill_json_kind kind);
hookmill_json *hookmill_json_string(hookmill_text text);
hookmill_json *hookmill_json_number(hookmill_text text);

/* Sets a member of an object to a copy of a value; an existing member keeps its position. Copies of a list or an object
 * share its contents: add it when it is complete. */
void hookmill_json_set(hookmill_json *object, hookmill_text name, const hookmill_json *value);
/* Appends a copy of a value to a list. */
void hookmill_json_push(hookmill_json *list, const hookmill_json *value);

/* Serializes to JSON text without spaces, with non-ASCII characters unescaped. */
hookmill_text hookmill_json_write(const hookmill_json *value);

#endif
