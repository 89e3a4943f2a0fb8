use hookmill_model::{TIME_PATTERN, parse_time};

const RIGHT: [&str; 10] = [
    "2026-04-29T11:13:55.021Z",
    "2026-04-29t11:13:55z",
    "2026-04-29 11:13:55+02:00",
    "2026-04-29T11:13:55.123456789-23:59",
    "0000-01-01T00:00:00Z",
    "0000-01-01T01:00:00+01:00",
    "9999-12-30T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-04-29T11:13:55-00:00",
];

const WRONG: [&str; 21] = [
    "0000-01-01T00:59:59+01:00",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-04-29T11:13:55+25:00",
    "2026-04-29T11:13:55+24:00",
    "2026-04-29T11:13:55+01:60",
    "2026-04-29T11:13:55+01",
    "2026-04-29T11:13:55+0100",
    "2026-04-29T11:13:55",
    "2026-04-29T11:13Z",
    "2026-04-29",
    "20260429T111355Z",
    "2026-04-29T11:13:55,5Z",
    "2026-04-29T11:13:55.Z",
    "2026-04-29T11:13:55.1234567890Z",
    "-000001-04-29T11:13:55Z",
    "+002026-04-29T11:13:55Z",
    "2026-04-29T11:13:55Z[UTC]",
    "2026-02-30T00:00:00Z",
    "2026-04-29T24:00:00Z",
    "",
];

#[test]
fn a_time_is_rfc_3339_and_its_year_has_four_digits_in_utc() {
    for text in RIGHT {
        let shown = parse_time(text).expect(text).to_string();
        assert!(shown.as_bytes()[0].is_ascii_digit() && shown.as_bytes()[4] == b'-', "{text}: {shown}");
    }
    for text in WRONG {
        let error = parse_time(text).expect_err(text).to_string();
        assert!(error.contains("RFC 3339") && error.contains("0000 to 9999"), "{error}");
    }
}

#[test]
fn the_pattern_in_the_description_has_the_same_form() {
    let schema = serde_json::json!({"pattern": TIME_PATTERN});
    let matches = |text: &str| jsonschema::is_valid(&schema, &serde_json::json!(text));
    for text in RIGHT {
        assert!(matches(text), "{text}");
    }
    // What is left has the form, but names no moment of these years.
    let formed: Vec<_> = WRONG.into_iter().filter(|text| matches(text)).collect();
    assert_eq!(formed, [WRONG[0], WRONG[1], WRONG[2], "2026-02-30T00:00:00Z", "2026-04-29T24:00:00Z"]);
}
