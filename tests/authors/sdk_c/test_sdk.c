/* What the headers of plugins/sdk/c say, as native code. */

#include "hookmill_json.h"
#include "hookmill_test.h"

void describe(hookmill_description *it) { it->name = hookmill_text_of("test"); }

hookmill_outcome transform(const hookmill_delivery *delivery, hookmill_request *request) {
  hookmill_text key, what = delivery->events.ptr[0].data;
  if (hookmill_equal(what, hookmill_text_of("skip"))) return hookmill_skip("%s %d", "nothing", 7);
  if (hookmill_equal(what, hookmill_text_of("retry"))) return hookmill_retry("later");
  if (hookmill_equal(what, hookmill_text_of("silent"))) return HOOKMILL_FAIL;
  if (!hookmill_secret("api-key", &key)) return HOOKMILL_FAIL;
  hookmill_fields form = {0};
  for (int i = 0; i < 40; i++) hookmill_add(&form, "n", hookmill_format("%d", i));
  hookmill_form_body(request, form);
  hookmill_add(&request->query, "key", key);
  hookmill_method(request, "PUT");
  hookmill_debug("%s", "one");
  hookmill_warn("two %.*s", HOOKMILL_ARG(what));
  return HOOKMILL_DELIVER;
}

static void outcomes_are_the_contracts(void) {
  hookmill_made made = hookmill_run("skip", "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_SKIP && hookmill_equal(made.reason, hookmill_text_of("nothing 7")));
  made = hookmill_run("retry", "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_FAIL && made.retry);
  made = hookmill_run("go", "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_DELIVER && made.request.body.tag == HOOKMILL_PLUGIN_TYPES_BODY_FORM);
  HOOKMILL_EXPECT(made.request.body.val.form.len == 40);
  HOOKMILL_EXPECT(hookmill_equal(made.request.body.val.form.ptr[39].f1, hookmill_text_of("39")));
  HOOKMILL_EXPECT(hookmill_equal(made.request.query.ptr[0].f1, hookmill_text_of("{{secret:api-key}}")));
  HOOKMILL_EXPECT(made.request.method.is_some && strcmp(made.log, "debug: one\nwarn: two go\n") == 0);
}

static void a_failure_has_a_reason(void) {
  hookmill_made made = hookmill_run("silent", "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_FAIL && made.reason.len > 0 && !made.retry);
}

static void a_description_starts_with_a_schema(void) {
  hookmill_description description;
  exports_hookmill_plugin_transformer_describe(&description);
  HOOKMILL_EXPECT(hookmill_equal(description.config_schema, hookmill_text_of("{}")));
}

/* Checks that JSON is written again as `written`. */
static void rewritten(const char *read, const char *written) {
  hookmill_json *value = hookmill_json_read(hookmill_text_of(read));
  hookmill_text made = value ? hookmill_json_write(value) : hookmill_text_of("(refused)");
  if (hookmill_equal(made, hookmill_text_of(written))) return;
  fprintf(stderr, "%s\nbecame   %.*s\nand not  %s\n", read, HOOKMILL_ARG(made), written);
  exit(1);
}

static void json_stays_as_it_was_written(void) {
  rewritten(" [12.50, 1e400 ,12345678901234567890,-0,2E5,-1.50e-7] ",
            "[12.50,1e400,12345678901234567890,-0,2E5,-1.50e-7]");
  rewritten("{\"b\":{},\"10\":[],\"a\":[null,true,false]}", "{\"b\":{},\"10\":[],\"a\":[null,true,false]}");
  rewritten("{\"a\":1,\"b\":2,\"\\u0061\":3}", "{\"a\":3,\"b\":2}");
  rewritten("\"\\u0141\\u00f3d\\u017a \\/ \\\"\\\\ \\b\\f\\n\\r\\t\"", "\"Łódź / \\\"\\\\ \\b\\f\\n\\r\\t\"");
  rewritten("\"\\u0000\\u001F\\u007f\\ud83d\\ude00\"", "\"\\u0000\\u001f\x7f😀\"");
  rewritten("\"\\ud83d x \\ude00 \\ud83d\\u0041\"", "\"\xef\xbf\xbd x \xef\xbf\xbd \xef\xbf\xbd" "A\"");
  rewritten("\"\\\\\"", "\"\\\\\"");
  rewritten("\"\"", "\"\"");
}

static void what_is_no_json_is_refused(void) {
  static const char *const none[] = {
      "",     " ",      "01",       "1.",           ".5",    "+1",     "1e",     "-",        "nul",     "tru e",
      "[1,]", "[1 2]",  "[",        "{",            "{a:1}", "{\"a\"}", "{\"a\":}", "\"",       "\"\\",    "\"\\x\"",
      "[1}",  "NaN",    "1 2",      "{\"a\":1,}",   "\"a\nb\"", "\"\\u12\"", "\"\\u12g4\"",
  };
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) rewritten(none[i], "(refused)");
}

static void nesting_has_an_end(void) {
  for (int depth = 127; depth <= 128; depth++) {
    char text[257] = {0};
    memset(text, '[', depth), memset(text + depth, ']', depth);
    HOOKMILL_EXPECT(!hookmill_json_read(hookmill_text_of(text)) == (depth == 128));
  }
}

static void members_are_found_among_many(void) {
  hookmill_json *object = hookmill_json_new(HOOKMILL_OBJECT);
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 1000; i++)
      hookmill_json_set(object, hookmill_format("k%d", i), hookmill_json_number(hookmill_format("%d", i + round)));
  HOOKMILL_EXPECT(object->count == 1000);
  for (int i = 0; i < 1000; i++) {
    hookmill_json *member = hookmill_json_get(object, hookmill_format("k%d", i));
    HOOKMILL_EXPECT(member && hookmill_equal(member->text, hookmill_format("%d", i + 1)));
  }
  HOOKMILL_EXPECT(!hookmill_json_get(object, hookmill_text_of("k1000")));
  HOOKMILL_EXPECT(hookmill_equal(hookmill_json_get_text(object, "k1", "none"), hookmill_text_of("none")));
  hookmill_json *read = hookmill_json_read(hookmill_json_write(object));
  HOOKMILL_EXPECT(read && hookmill_equal(hookmill_json_write(read), hookmill_json_write(object)));
}

static void values_are_put_together(void) {
  hookmill_json *list = hookmill_json_new(HOOKMILL_ARRAY), *object = hookmill_json_new(HOOKMILL_OBJECT);
  hookmill_json_push(list, hookmill_json_string(hookmill_text_of("a\"b")));
  hookmill_json_push(list, hookmill_json_number(hookmill_text_of("12.50")));
  hookmill_json_set(object, hookmill_text_of("list"), list);
  HOOKMILL_EXPECT(hookmill_equal(hookmill_json_write(object), hookmill_text_of("{\"list\":[\"a\\\"b\",12.50]}")));
  HOOKMILL_EXPECT(!hookmill_json_get(list, hookmill_text_of("list")) && !hookmill_json_get(NULL, hookmill_text_of("x")));
}

int main(void) {
  outcomes_are_the_contracts();
  a_failure_has_a_reason();
  a_description_starts_with_a_schema();
  json_stays_as_it_was_written();
  what_is_no_json_is_refused();
  nesting_has_an_end();
  members_are_found_among_many();
  values_are_put_together();
}
