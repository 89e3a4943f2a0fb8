/* For a plugin's own tests: calls its transform as native code, without a host. Include it in one file of the tests:
 *
 *     #include "hookmill_test.h"
 *
 *     int main(void) {
 *       hookmill_made made = hookmill_run("{\"deal\":{\"id\":7}}", "{}");
 *       HOOKMILL_EXPECT(hookmill_equal(made.request.body.val.json, hookmill_text_of("…")));
 *       HOOKMILL_EXPECT(strcmp(made.log, "info: deal evt_test\n") == 0);
 *     }
 *
 *     cc -Isdk -Isrc -o build/test tests/test_plugin.c src/plugin.c sdk/hookmill.c sdk/hookmill_json.c && build/test */

#ifndef HOOKMILL_TEST_H
#define HOOKMILL_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hookmill.h"

#define HOOKMILL_EXPECT(what) \
  ((what) ? (void)0 : (fprintf(stderr, "%s:%d: expectation failed: %s\n", __FILE__, __LINE__, #what), exit(1)))

/* The result of a call. */
typedef struct {
  hookmill_outcome outcome;
  hookmill_request request; /* if the outcome is HOOKMILL_DELIVER */
  hookmill_text reason;     /* otherwise */
  bool retry;
  const char *log; /* lines such as "info: deal evt_test\n" */
} hookmill_made;

static char hookmill_test_log[16384];

void hookmill_plugin_log_write(hookmill_plugin_log_level_t level, hookmill_text *line) {
  static const char *const levels[] = {"debug", "info", "warn", "error"};
  size_t length = strlen(hookmill_test_log);
  snprintf(hookmill_test_log + length, sizeof hookmill_test_log - length, "%s: %.*s\n", levels[level],
           HOOKMILL_ARG(*line));
}

/* Every secret exists; its placeholder is `{{secret:name}}`, as in golden pairs. */
bool hookmill_plugin_secrets_placeholder(hookmill_text *name, hookmill_text *placeholder, hookmill_text *error) {
  (void)error;
  *placeholder = hookmill_format("{{secret:%.*s}}", HOOKMILL_ARG(*name));
  return true;
}

/* Calls the transform with these events and a configuration as JSON text. */
static hookmill_made hookmill_run_events(hookmill_event *events, size_t count, const char *config) {
  hookmill_delivery delivery = {
      .id = hookmill_text_of("dlv_test"),
      .attempt = 1,
      .space = hookmill_text_of("test"),
      .subscription = {hookmill_text_of("sub_test"), hookmill_text_of("Test"), hookmill_text_of("application/json"),
                       hookmill_text_of(config)},
      .events = {events, count},
  };
  hookmill_made made = {.log = hookmill_test_log};
  exports_hookmill_plugin_transformer_outcome_t outcome;
  exports_hookmill_plugin_transformer_failure_t failure;
  hookmill_test_log[0] = '\0';
  if (!exports_hookmill_plugin_transformer_transform(&delivery, &outcome, &failure)) {
    made.outcome = HOOKMILL_FAIL, made.reason = failure.reason, made.retry = failure.retry;
  } else if (outcome.tag == HOOKMILL_PLUGIN_TYPES_OUTCOME_SKIP) {
    made.outcome = HOOKMILL_SKIP, made.reason = outcome.val.skip;
  } else {
    made.outcome = HOOKMILL_DELIVER, made.request = outcome.val.deliver;
  }
  return made;
}

/* Calls the transform with one event, whose data is JSON text. */
static inline hookmill_made hookmill_run(const char *data, const char *config) {
  hookmill_event event = {hookmill_text_of("evt_test"), hookmill_text_of("deal.created"),
                          hookmill_text_of("2026-04-29T11:13:55Z"), hookmill_text_of(data)};
  return hookmill_run_events(&event, 1, config);
}

#endif
