import unittest

import plugin
from hookmill_plugin.testing import delivery, event, run


class TransformTest(unittest.TestCase):
    def test_a_deal_becomes_one_flat_object(self):
        made = run(plugin.transform, delivery('{"deal": {"name": "Licences", "price": 12.50, "tags": []}}'))
        self.assertEqual(
            made.request.body.text,
            '{"id":"evt_test","type":"deal.created","occurred_at":"2026-04-29T11:13:55Z",'
            '"deal__name":"Licences","deal__price":12.50,"deal__tags":null}',
        )
        self.assertEqual(made.request.headers, [("x-source", "livespace")])
        self.assertEqual(made.logs, [("info", "deal evt_test")])

    def test_the_source_is_configured(self):
        made = run(plugin.transform, delivery({"deal": {}}, config={"source": "crm-eu"}))
        self.assertEqual(made.request.headers, [("x-source", "crm-eu")])

    def test_several_events_are_refused(self):
        made = run(plugin.transform, delivery(event({}, id="evt_one"), event({}, id="evt_two")))
        self.assertIn("the delivery has 2", made.failure.reason)
        self.assertFalse(made.failure.retry)


if __name__ == "__main__":
    unittest.main()
