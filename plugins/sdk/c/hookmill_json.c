#include "hookmill_json.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 127
/* Objects with fewer members are searched linearly. */
#define INDEX_FROM 8

hookmill_json *hookmill_json_new(hookmill_json_kind kind) {
  hookmill_json *value = calloc(1, sizeof *value);
  if (!value) hookmill_panic("out of memory");
  value->kind = kind;
  return value;
}

hookmill_json *hookmill_json_string(hookmill_text text) {
  hookmill_json *value = hookmill_json_new(HOOKMILL_STRING);
  value->text = text;
  return value;
}

hookmill_json *hookmill_json_number(hookmill_text text) {
  hookmill_json *value = hookmill_json_new(HOOKMILL_NUMBER);
  value->text = text;
  return value;
}

/* FNV-1a. */
static size_t hash(hookmill_text name) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < name.len; i++) hash = (hash ^ name.ptr[i]) * 16777619u;
  return hash;
}

/* Returns the slot of a name in an object's index: that of its member, or an empty one. */
static hookmill_json **place(const hookmill_json *object, hookmill_text name) {
  size_t at = hash(name) & (object->index_size - 1);
  while (object->index[at] && !hookmill_equal(object->index[at]->name, name)) at = (at + 1) & (object->index_size - 1);
  return &object->index[at];
}

static void enter_index(hookmill_json *object, hookmill_json *member) {
  if (object->count < INDEX_FROM) return;
  if (object->count * 2 <= object->index_size) {
    *place(object, member->name) = member;
    return;
  }
  object->index_size = object->count * 2 < 32 ? 32 : object->index_size * 2;
  object->index = calloc(object->index_size, sizeof *object->index);
  if (!object->index) hookmill_panic("out of memory");
  for (hookmill_json *each = object->first; each; each = each->next) *place(object, each->name) = each;
}

hookmill_json *hookmill_json_get(const hookmill_json *object, hookmill_text name) {
  if (!object || object->kind != HOOKMILL_OBJECT) return NULL;
  if (object->index) return *place(object, name);
  hookmill_json *member = object->first;
  while (member && !hookmill_equal(member->name, name)) member = member->next;
  return member;
}

hookmill_text hookmill_json_get_text(const hookmill_json *object, const char *name, const char *otherwise) {
  const hookmill_json *member = hookmill_json_get(object, hookmill_text_of(name));
  return member && member->kind == HOOKMILL_STRING ? member->text : hookmill_text_of(otherwise);
}

/* Appends a value that is not in another list or object. */
static void append(hookmill_json *to, hookmill_json *value) {
  if (to->last)
    to->last->next = value;
  else
    to->first = value;
  to->last = value;
  to->count++;
}

static void put(hookmill_json *object, hookmill_text name, hookmill_json *value) {
  hookmill_json *had = hookmill_json_get(object, name);
  value->name = name;
  if (had) {
    value->next = had->next;
    *had = *value;
    return;
  }
  value->next = NULL;
  append(object, value);
  enter_index(object, value);
}

static hookmill_json *copy(const hookmill_json *value) {
  hookmill_json *made = hookmill_json_new(value->kind);
  *made = *value;
  made->next = NULL;
  return made;
}

void hookmill_json_set(hookmill_json *object, hookmill_text name, const hookmill_json *value) {
  put(object, name, copy(value));
}

void hookmill_json_push(hookmill_json *list, const hookmill_json *value) { append(list, copy(value)); }

/* Parsing: each function consumes its part from the text's start, and returns whether it was there. */

static void skip_space(hookmill_text *text) {
  while (text->len > 0 && *text->ptr <= ' ' && strchr(" \n\r\t", *text->ptr) && *text->ptr) text->ptr++, text->len--;
}

static bool take(hookmill_text *text, const char *what) {
  size_t length = strlen(what);
  if (text->len < length || memcmp(text->ptr, what, length) != 0) return false;
  text->ptr += length, text->len -= length;
  return true;
}

/* Consumes digits, at least one. */
static bool digits(hookmill_text *text) {
  const uint8_t *from = text->ptr;
  while (text->len > 0 && *text->ptr >= '0' && *text->ptr <= '9') text->ptr++, text->len--;
  return text->ptr > from;
}

static bool number(hookmill_text *text, hookmill_json *value) {
  uint8_t *from = text->ptr;
  take(text, "-");
  if (!take(text, "0") && !digits(text)) return false;
  if (take(text, ".") && !digits(text)) return false;
  if (take(text, "e") || take(text, "E")) {
    if (!take(text, "+")) take(text, "-");
    if (!digits(text)) return false;
  }
  value->kind = HOOKMILL_NUMBER;
  value->text = (hookmill_text){from, (size_t)(text->ptr - from)};
  return true;
}

static bool four_hex(hookmill_text *text, uint32_t *unit) {
  if (text->len < 4) return false;
  *unit = 0;
  for (int i = 0; i < 4; i++, text->ptr++, text->len--) {
    uint8_t c = *text->ptr, letter = c | 0x20;
    if (c >= '0' && c <= '9')
      *unit = *unit * 16 + (c - '0');
    else if (letter >= 'a' && letter <= 'f')
      *unit = *unit * 16 + (letter - 'a' + 10u);
    else
      return false;
  }
  return true;
}

static uint8_t *utf8(uint8_t *to, uint32_t c) {
  if (c < 0x80) return *to++ = (uint8_t)c, to;
  if (c < 0x800) return *to++ = (uint8_t)(0xC0 | c >> 6), *to++ = (uint8_t)(0x80 | (c & 63)), to;
  if (c < 0x10000)
    *to++ = (uint8_t)(0xE0 | c >> 12);
  else
    *to++ = (uint8_t)(0xF0 | c >> 18), *to++ = (uint8_t)(0x80 | (c >> 12 & 63));
  return *to++ = (uint8_t)(0x80 | (c >> 6 & 63)), *to++ = (uint8_t)(0x80 | (c & 63)), to;
}

/* Consumes the part of an escape after `\u`. */
static bool unicode(hookmill_text *text, uint8_t **to) {
  uint32_t unit, low;
  if (!four_hex(text, &unit)) return false;
  if (unit >= 0xD800 && unit < 0xDC00) {
    hookmill_text ahead = *text;
    if (take(&ahead, "\\u") && four_hex(&ahead, &low) && low >= 0xDC00 && low < 0xE000) {
      *text = ahead;
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  *to = utf8(*to, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
  return true;
}

static bool escape(hookmill_text *text, uint8_t **to) {
  static const char letters[] = "\"\\/bfnrt", decoded[] = "\"\\/\b\f\n\r\t";
  if (text->len == 0) return false;
  uint8_t letter = *text->ptr;
  text->ptr++, text->len--;
  if (letter == 'u') return unicode(text, to);
  const char *found = letter ? strchr(letters, letter) : NULL;
  if (!found) return false;
  *(*to)++ = (uint8_t)decoded[found - letters];
  return true;
}

/* Returns the length of a string, from after its opening quote up to its closing quote. */
static size_t string_length(hookmill_text text, bool *escaped) {
  size_t i = 0;
  *escaped = false;
  for (; i < text.len && text.ptr[i] != '"'; i++)
    if (text.ptr[i] == '\\') *escaped = true, i++;
  return i;
}

/* Consumes a string, from after its opening quote. A string without escapes remains a slice of the text. */
static bool string(hookmill_text *text, hookmill_text *decoded) {
  bool escaped;
  size_t length = string_length(*text, &escaped);
  /* No escape is shorter than its decoded form. */
  uint8_t *to = escaped ? malloc(length) : text->ptr;
  if (!to) hookmill_panic("out of memory");
  decoded->ptr = to;
  while (text->len > 0 && *text->ptr >= 0x20) {
    if (take(text, "\"")) return decoded->len = (size_t)(to - decoded->ptr), true;
    if (take(text, "\\")) {
      if (!escape(text, &to)) return false;
    } else {
      if (escaped) *to = *text->ptr;
      to++, text->ptr++, text->len--;
    }
  }
  return false;
}

static bool read(hookmill_text *text, hookmill_json *value, int depth);

static bool list(hookmill_text *text, hookmill_json *value, int depth) {
  value->kind = HOOKMILL_ARRAY;
  skip_space(text);
  if (take(text, "]")) return true;
  do {
    hookmill_json *item = hookmill_json_new(HOOKMILL_NULL);
    if (!read(text, item, depth)) return false;
    append(value, item);
  } while (take(text, ","));
  return take(text, "]");
}

static bool object(hookmill_text *text, hookmill_json *value, int depth) {
  value->kind = HOOKMILL_OBJECT;
  skip_space(text);
  if (take(text, "}")) return true;
  do {
    hookmill_text name;
    skip_space(text);
    if (!take(text, "\"") || !string(text, &name)) return false;
    skip_space(text);
    hookmill_json *member = hookmill_json_new(HOOKMILL_NULL);
    if (!take(text, ":") || !read(text, member, depth)) return false;
    put(value, name, member);
  } while (take(text, ","));
  return take(text, "}");
}

static bool read(hookmill_text *text, hookmill_json *value, int depth) {
  skip_space(text);
  if (text->len == 0) return false;
  bool good;
  switch (*text->ptr) {
    case '{': good = depth < DEPTH_MAX && take(text, "{") && object(text, value, depth + 1); break;
    case '[': good = depth < DEPTH_MAX && take(text, "[") && list(text, value, depth + 1); break;
    case '"': value->kind = HOOKMILL_STRING, good = take(text, "\"") && string(text, &value->text); break;
    case 't': value->kind = HOOKMILL_TRUE, good = take(text, "true"); break;
    case 'f': value->kind = HOOKMILL_FALSE, good = take(text, "false"); break;
    case 'n': value->kind = HOOKMILL_NULL, good = take(text, "null"); break;
    default: good = number(text, value);
  }
  skip_space(text);
  return good;
}

hookmill_json *hookmill_json_read(hookmill_text text) {
  hookmill_json *value = hookmill_json_new(HOOKMILL_NULL);
  return read(&text, value, 0) && text.len == 0 ? value : NULL;
}

/* Serializing. */

static void add(hookmill_text *to, const char *bytes, size_t length) {
  hookmill_append(to, (hookmill_text){(uint8_t *)bytes, length});
}

static void write_string(hookmill_text *to, hookmill_text text) {
  static const char hex[] = "0123456789abcdef", letters[] = "btnvfr";
  add(to, "\"", 1);
  size_t from = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    add(to, (char *)text.ptr + from, i - from);
    from = i + 1;
    if (c >= 0x20)
      add(to, (char[]){'\\', (char)c}, 2);
    else if (c >= '\b' && c <= '\r' && c != '\v')
      add(to, (char[]){'\\', letters[c - '\b']}, 2);
    else
      add(to, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
  }
  add(to, (char *)text.ptr + from, text.len - from);
  add(to, "\"", 1);
}

static void write(hookmill_text *to, const hookmill_json *value) {
  switch (value->kind) {
    case HOOKMILL_NULL: return add(to, "null", 4);
    case HOOKMILL_FALSE: return add(to, "false", 5);
    case HOOKMILL_TRUE: return add(to, "true", 4);
    case HOOKMILL_NUMBER: return hookmill_append(to, value->text);
    case HOOKMILL_STRING: return write_string(to, value->text);
    case HOOKMILL_ARRAY:
    case HOOKMILL_OBJECT: break;
  }
  bool is_object = value->kind == HOOKMILL_OBJECT;
  add(to, is_object ? "{" : "[", 1);
  for (const hookmill_json *each = value->first; each; each = each->next) {
    if (each != value->first) add(to, ",", 1);
    if (is_object) write_string(to, each->name), add(to, ":", 1);
    write(to, each);
  }
  add(to, is_object ? "}" : "]", 1);
}

hookmill_text hookmill_json_write(const hookmill_json *value) {
  hookmill_text made = {0};
  write(&made, value);
  return made;
}
