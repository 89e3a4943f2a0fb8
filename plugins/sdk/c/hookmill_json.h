/* JSON as a tree whose numbers stay as they were written.
 *
 * Why not one of C's usual libraries: cJSON, the one that Debian has, makes a double of each number (12.50 becomes 12.5,
 * 12345678901234567890 another number), and comes as machine code that no plugin can use; yyjson, which can keep
 * numbers, is no package that a build for WebAssembly could ask for by name. */

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

/* A value. Go through a list or an object by `for (each = value->first; each; each = each->next)`. */
struct hookmill_json {
  hookmill_json_kind kind;
  hookmill_text text;     /* a string, decoded; a number, as it was written */
  hookmill_text name;     /* of a member of an object */
  hookmill_json *next;    /* the next item or member */
  hookmill_json *first;   /* of a list or an object */
  hookmill_json *last;
  size_t count;           /* of items or members */
  hookmill_json **index;  /* a large object's members, by their names' hashes */
  size_t index_size;
};

/* Reads JSON text; NULL if it is none, or nested deeper than 127 levels. Of a name that is there twice the first place
 * and the last value stay. Half a surrogate pair, which is no UTF-8, becomes U+FFFD. */
hookmill_json *hookmill_json_read(hookmill_text text);

/* A member; NULL if there is none of that name, or `object` is NULL or no object. */
hookmill_json *hookmill_json_get(const hookmill_json *object, hookmill_text name);
/* A member's text, `otherwise` if it is no string. */
hookmill_text hookmill_json_get_text(const hookmill_json *object, const char *name, const char *otherwise);

/* New values. A number is given as its text. */
hookmill_json *hookmill_json_new(hookmill_json_kind kind);
hookmill_json *hookmill_json_string(hookmill_text text);
hookmill_json *hookmill_json_number(hookmill_text text);

/* Puts a copy of a value into an object, in the place of the member of that name if there is one. What is in a list or
 * an object is shared by its copies: put it in when it is complete. */
void hookmill_json_set(hookmill_json *object, hookmill_text name, const hookmill_json *value);
/* Appends a copy of a value to a list. */
void hookmill_json_push(hookmill_json *list, const hookmill_json *value);

/* Writes JSON text without spaces, with non-ASCII characters as they are. */
hookmill_text hookmill_json_write(const hookmill_json *value);

#endif
