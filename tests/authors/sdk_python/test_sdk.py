"""What plugins/sdk/python says of itself, as native code."""

import copy
import math
import unittest
from decimal import Decimal

from hookmill_plugin import Binary, Failure, Form, Json, Request, Skip, Text, exact, export, log, secret
from hookmill_plugin.testing import delivery, event, run


def ask(transform, *data, **more):
    return run(transform, delivery(*(data or ("{}",)), **more))


class ExactTest(unittest.TestCase):
    def test_json_is_written_as_it_was_read(self):
        for text in (
            "[12.50,1e400,12345678901234567890,-0,2E5,-1.50e-7,0.10]",
            '{"b":{},"10":[],"a":[null,true,false]}',
            '"Łódź / \\" \\\\ \\b\\f\\n\\r\\t\\u0000\\u001f\x7f 😀"',
            "1" * 5000,
        ):
            self.assertEqual(exact.dumps(exact.loads(text)), text)
        self.assertEqual(exact.dumps(exact.loads('{"a":1,"b":2,"\\u0061":3}')), '{"a":3,"b":2}')

    def test_a_number_calculates_exactly_and_shows_as_written(self):
        price = exact.loads("12.50")
        self.assertEqual(price * 2, Decimal("25.00"))
        self.assertEqual(exact.dumps([price + 1, Decimal("0.30")]), "[13.50,0.30]")
        self.assertEqual((f"{exact.loads('1e400')}", f"{price:.1f}"), ("1e400", "12.5"))
        self.assertEqual(exact.dumps(copy.deepcopy(exact.loads("[1e400]"))), "[1e400]")
        self.assertIs(type(exact.loads("7")), int)

    def test_what_json_has_not_is_refused(self):
        for text in ("NaN", "[Infinity]", "{", "01"):
            self.assertRaises(ValueError, exact.loads, text)
        for value in (math.nan, Decimal("Infinity")):
            self.assertRaises(ValueError, exact.dumps, value)
        for value in ({1: 2}, object()):
            self.assertRaises(TypeError, exact.dumps, value)


class CallTest(unittest.TestCase):
    def test_a_request_has_the_contracts_shape(self):
        asked = Request(Form({"a": "1"}), headers=[("x", "1"), ("x", "2")], query={"q": "ż"})
        made = ask(lambda _delivery, _config: asked)
        self.assertEqual(made.request.body, Form([("a", "1")]))
        self.assertEqual((made.request.headers, made.request.query), ([("x", "1"), ("x", "2")], [("q", "ż")]))
        bodies = [Json("{}"), Text("t"), Binary("text/csv", b"a,b")]
        self.assertEqual([ask(lambda _delivery, _config: Request(body)).request.body for body in bodies], bodies)

    def test_half_a_surrogate_pair_becomes_a_replacement_character(self):
        data = '["\\ud83d", "\\ud83d\\ude00"]'
        made = ask(lambda given, _config: Request(Json(exact.dumps(given.events[0].json()))), data)
        self.assertEqual(made.request.body.text, '["\ufffd","😀"]')

    def test_the_configuration_is_read(self):
        made = ask(lambda _delivery, config: Skip(str(config["rate"])), config='{"rate": 12.50}')
        self.assertEqual(made.skip, "12.50")

    def test_a_failure_is_passed_on(self):
        def transform(_delivery, _config):
            raise Failure("later", retry=True)

        made = ask(transform)
        self.assertEqual((made.failure.reason, made.failure.retry, made.logs), ("later", True, []))

    def test_an_exception_becomes_a_failure_with_its_text_and_place(self):
        def transform(_delivery, _config):
            return {}["deal"]

        line = transform.__code__.co_firstlineno + 1
        made = ask(transform)
        self.assertRegex(made.failure.reason, rf"^KeyError: 'deal' \(.*test_sdk.py:{line}\)$")
        self.assertFalse(made.failure.retry)
        [(level, text)] = made.logs
        self.assertEqual(level, "error")
        self.assertRegex(text, r'(?s)^Traceback .*return \{\}\["deal"\].*KeyError: \'deal\'$')

    def test_leaving_the_program_is_a_failure_too(self):
        self.assertIn("SystemExit: 3", ask(lambda _delivery, _config: exit(3)).failure.reason)

    def test_the_place_is_in_the_plugins_own_code(self):
        made = ask(lambda given, _config: exact.loads("{"))
        self.assertIn("test_sdk.py:", made.failure.reason)

    def test_what_is_no_outcome_is_a_failure_that_says_so(self):
        for outcome, words in (
            (None, "transform returned None"),
            (Request({"a": 1}), "the body is {'a': 1}"),
            (Request(Json("{}"), headers={"x-n": 5}), "headers: x-n must be a str, got 5"),
        ):
            self.assertIn(words, ask(lambda _delivery, _config: outcome).failure.reason)

    def test_endless_recursion_has_a_short_traceback(self):
        def transform(given, config):
            return transform(given, config)

        made = ask(transform)
        self.assertIn("RecursionError", made.failure.reason)
        self.assertLess(len(made.logs[0][1]), 4000)

    def test_a_secret_is_a_placeholder_or_a_failure(self):
        def transform(_delivery, _config):
            return Skip(secret("api-key"))

        self.assertEqual(run(transform, delivery("{}"), secrets=["api-key"]).skip, "{{secret:api-key}}")
        self.assertEqual(ask(transform).failure.reason, "the subscription has no secret `api-key`")

    def test_the_log_has_levels(self):
        def transform(given, _config):
            log.debug("a"), log.info(1), log.warn("c"), log.error("d")
            return Skip(given.events[1].kind)

        made = ask(transform, event({}), event({}, kind="deal.won"))
        self.assertEqual(made.logs, [("debug", "a"), ("info", "1"), ("warn", "c"), ("error", "d")])
        self.assertEqual(made.skip, "deal.won")

    def test_outside_a_component_nothing_is_exported(self):
        self.assertIsNone(export(None, None))
