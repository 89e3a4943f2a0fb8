#include "hookmill_test.h"

static void a_deal_becomes_one_flat_object(void) {
  hookmill_made made = hookmill_run("{\"deal\": {\"name\": \"Licences\", \"price\": 12.50, \"tags\": []}}", "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_DELIVER);
  HOOKMILL_EXPECT(hookmill_equal(
      made.request.body.val.json,
      hookmill_text_of("{\"id\":\"evt_test\",\"type\":\"deal.created\",\"occurred_at\":\"2026-04-29T11:13:55Z\","
                       "\"deal__name\":\"Licences\",\"deal__price\":12.50,\"deal__tags\":null}")));
  HOOKMILL_EXPECT(hookmill_equal(made.request.headers.ptr[0].f1, hookmill_text_of("livespace")));
  HOOKMILL_EXPECT(strcmp(made.log, "info: deal evt_test\n") == 0);
}

static void the_source_is_configured(void) {
  hookmill_made made = hookmill_run("{\"deal\": {}}", "{\"source\": \"crm-eu\"}");
  HOOKMILL_EXPECT(hookmill_equal(made.request.headers.ptr[0].f1, hookmill_text_of("crm-eu")));
}

static void several_events_are_refused(void) {
  hookmill_event events[2] = {{.id = hookmill_text_of("evt_one")}, {.id = hookmill_text_of("evt_two")}};
  hookmill_made made = hookmill_run_events(events, 2, "{}");
  HOOKMILL_EXPECT(made.outcome == HOOKMILL_FAIL && !made.retry);
}

int main(void) {
  a_deal_becomes_one_flat_object();
  the_source_is_configured();
  several_events_are_refused();
  puts("ok");
}
