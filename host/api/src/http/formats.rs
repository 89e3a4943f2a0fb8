//! The forms of texts and lists in the API description: what the host refuses, the description refuses, too.
//!
//! Handlers read these texts as the model's types, which parse themselves and do not depend on utoipa; to the derived
//! description they are strings. A condition, a template, a header or a URL has a form that no regular expression describes: the
//! descriptions of these members say what it is.

use hookmill_model::{NoticeKind, TIME_PATTERN};
use serde_json::{Value, json};

const SPACE_ID: &str = "^[a-z0-9][a-z0-9-]{0,62}$";
const EVENT_ID: &str = "^[A-Za-z0-9_:~.-]{1,128}$";
const EVENT_TYPE: &str = r"^[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+)*$";
const EVENT_TYPES: &str = r"^(\*|[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+)*(\.\*)?)$";
const PLUGIN_NAME: &str = "^[a-z][a-z0-9-]{0,63}$";
const PLUGIN_KEY: &str = "^whpk_[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$";
/// Semantic Versioning 2.0.0, with the numbers that fit 64 bits for certain.
const VERSION: &str = r"^(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$";
/// A line with at least one character that is not white space.
const LINE: &str = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$";
const SECRET: &str = r"^[\x21-\x7E]{1,512}$";
const SECRET_NAME: &str = "^[a-z0-9_-]{1,64}$";
const SUCCESS_CODES: &str = r"^(2xx| *2\d\d *(, *2\d\d *){0,99})$";
/// Names of members joined by dots.
const FIELD: &str = r"^[^.]+(\.[^.]+)*$";
const POINTER: &str = "^/";
const PROFILE: &str = "^(standard|livespace|breakcold|leadsquared)$";
const URL: &str = "^[Hh][Tt][Tt][Pp][Ss]?:";
const REFERENCE: &str = r"^(oci://)?(localhost|[^/]*[.:][^/]*)/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$";
/// A version, or requirements as Cargo reads them: `^1.2`, `1.x`, `>=1.2, <3`.
const WANTED_VERSION: &str = r"^ *([*xX]|COMPARATOR( *, *COMPARATOR){0,9}) *$";
const COMPARATOR: &str = r"((=|>=?|<=?|~|\^)? *(0|[1-9]\d{0,17})(\.[*xX](\.[*xX])?|\.(0|[1-9]\d{0,17})(\.[*xX]|\.(0|[1-9]\d{0,17})(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?)?)";

/// Returns the form of a path parameter.
pub(crate) fn of_path(name: &str) -> Value {
    match name {
        "space" => json!({"type": "string", "pattern": SPACE_ID}),
        "key" => id("key_"),
        "subscription" => id("sub_"),
        "delivery" => id("dlv_"),
        "replay" => id("rpl_"),
        "number" => json!({"type": "integer", "minimum": 1, "maximum": 65_535}),
        "profile" => json!({"type": "string", "minLength": 1}),
        "event_type" => json!({"type": "string", "pattern": EVENT_TYPE, "maxLength": 128}),
        "plugin" => json!({"type": "string", "pattern": PLUGIN_NAME}),
        "version" => json!({"type": "string", "pattern": VERSION, "maxLength": 64}),
        "event" => json!({"type": "string", "pattern": EVENT_ID}),
        _ => json!({"type": "string"}),
    }
}

fn id(prefix: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{prefix}[0-7][0-9A-HJKMNP-TV-Z]{{25}}$")})
}

/// Returns the form of a query parameter, in addition to its type.
pub(crate) fn of_query(name: &str) -> Option<Value> {
    match name {
        "subscription" => Some(id("sub_")),
        "event" => Some(json!({"pattern": EVENT_ID})),
        "event_type" => Some(json!({"pattern": EVENT_TYPES, "maxLength": 130})),
        "since" | "until" => Some(json!({"pattern": TIME_PATTERN})),
        "cursor" => Some(json!({"minLength": 1})),
        _ => None,
    }
}

/// Adds the forms of members to the schemas of request bodies.
pub(crate) fn complete(schemas: &mut Value) {
    for (pointer, form) in forms() {
        let Some(member) = schemas.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        member.extend(form.as_object().cloned().unwrap_or_default());
    }
    for closed in ["Trigger", "StatusChange", "QueryParameter", "Batch", "AnswerRule"] {
        if let Some(schema) = schemas.get_mut(closed).filter(|schema| schema.is_object()) {
            schema["additionalProperties"] = json!(false);
        }
    }
}

/// The members with a form, each by its pointer in the schemas.
fn forms() -> Vec<(&'static str, Value)> {
    let pattern = |pattern: &str| json!({"pattern": pattern});
    let wanted_version =
        || json!({"pattern": WANTED_VERSION.replace("COMPARATOR", COMPARATOR), "minLength": 1, "maxLength": 64});
    let distinct = |mut list: Value| {
        list["uniqueItems"] = json!(true);
        list
    };
    let name = || json!({"pattern": LINE, "minLength": 1, "maxLength": 200});
    let event_type = || json!({"pattern": EVENT_TYPE, "maxLength": 128});
    // The host's own events are not posted.
    let reserved = NoticeKind::ALL.map(|kind| kind.event_type().to_string());
    let own_type = || {
        let mut form = event_type();
        form["not"] = json!({"enum": reserved});
        form
    };
    let strings = |pattern: &str, max: usize| json!({"items": {"type": "string", "pattern": pattern}, "maxItems": max});
    let mail_addresses =
        || json!({"items": {"type": "string", "format": "email"}, "maxItems": 50, "uniqueItems": true});
    let event_types = |min: usize| {
        let items = json!({"type": "string", "pattern": EVENT_TYPES, "maxLength": 130});
        json!({"items": items, "minItems": min, "maxItems": 100})
    };
    let field = || json!({"type": "string", "pattern": FIELD, "maxLength": 256});
    let scalar = || json!({"type": ["string", "number", "boolean", "null"]});
    let pointer = || json!({"pattern": POINTER, "maxLength": 256});
    vec![
        ("/KeyInput/properties/name", name()),
        ("/KeyInput/properties/space", pattern(SPACE_ID)),
        ("/SpaceInput/properties/id", pattern(SPACE_ID)),
        ("/SpaceInput/properties/name", name()),
        ("/SpaceInput/properties/administrators", mail_addresses()),
        ("/SpaceInput/properties/plugin_keys", distinct(strings(PLUGIN_KEY, 10))),
        ("/SpacePatch/properties/name", name()),
        ("/SpacePatch/properties/administrators", mail_addresses()),
        ("/SpacePatch/properties/plugin_keys", distinct(strings(PLUGIN_KEY, 10))),
        ("/EventTypeInput/properties/description", json!({"maxLength": 2_000})),
        ("/EventTypeInput/properties/schema", json!({"type": ["object", "boolean", "null"]})),
        ("/EventInput/properties/type", own_type()),
        ("/EventInput/properties/id", pattern(EVENT_ID)),
        ("/EventInput/properties/occurred_at", pattern(TIME_PATTERN)),
        (
            "/EventInput/properties/changed_fields",
            json!({"items": {"type": "string", "maxLength": 256}, "maxItems": 200}),
        ),
        ("/PreviewedEvent/properties/type", event_type()),
        ("/PreviewedEvent/properties/id", pattern(EVENT_ID)),
        ("/PreviewedEvent/properties/occurred_at", pattern(TIME_PATTERN)),
        ("/LoadInput/properties/profile", pattern(PROFILE)),
        ("/PullInput/properties/reference", pattern(REFERENCE)),
        ("/PluginPreviewInput/properties/event_id", pattern(EVENT_ID)),
        ("/PluginPreviewInput/properties/event_type", event_type()),
        ("/PluginPreviewInput/properties/url", pattern(URL)),
        ("/PluginPreviewInput/properties/secrets", strings(SECRET_NAME, 19)),
        ("/PreviewInput/properties/event_id", pattern(EVENT_ID)),
        ("/PreviewInput/properties/event_type", event_type()),
        ("/TestInput/properties/type", event_type()),
        ("/PluginInput/properties/name", pattern(PLUGIN_NAME)),
        ("/PluginInput/properties/version", wanted_version()),
        ("/CompareInput/properties/version", wanted_version()),
        ("/PreviewInput/properties/version", wanted_version()),
        ("/PluginPreviewInput/properties/version", wanted_version()),
        ("/ReplayInput/properties/since", pattern(TIME_PATTERN)),
        ("/ReplayInput/properties/until", pattern(TIME_PATTERN)),
        ("/ReplayInput/properties/event_types", event_types(1)),
        ("/ReplayInput/properties/condition", json!({"minLength": 1})),
        ("/ShadowInput/properties/version", wanted_version()),
        ("/SubscriptionInput/properties/name", name()),
        ("/SubscriptionInput/properties/description", json!({"maxLength": 2_000})),
        ("/SubscriptionInput/properties/profile", pattern(PROFILE)),
        ("/SubscriptionInput/properties/url", pattern(URL)),
        ("/SubscriptionInput/properties/event_types", event_types(0)),
        ("/SubscriptionInput/properties/condition", json!({"minLength": 1})),
        ("/SubscriptionInput/properties/headers", json!({"maxItems": 50})),
        ("/SubscriptionInput/properties/query", json!({"maxItems": 20})),
        ("/SubscriptionInput/properties/secret", pattern(SECRET)),
        (
            "/SubscriptionInput/properties/sealed_secrets",
            json!({
                "additionalProperties": {"type": "string", "pattern": SECRET},
                "propertyNames": {"type": "string", "pattern": SECRET_NAME},
                "maxProperties": 19,
            }),
        ),
        ("/SubscriptionInput/properties/success_codes", pattern(SUCCESS_CODES)),
        ("/RotateInput/properties/secret", pattern(SECRET)),
        ("/Trigger/properties/fields", json!({"items": field(), "maxItems": 100})),
        ("/StatusChange/properties/field", field()),
        ("/StatusChange/properties/from", scalar()),
        ("/StatusChange/properties/to", scalar()),
        ("/Batch/properties/event_types", event_types(0)),
        ("/QueryParameter/properties/name", json!({"minLength": 1, "maxLength": 128})),
        ("/HandshakeInput/properties/success_codes", pattern(SUCCESS_CODES)),
        ("/HandshakeInput", json!({"required": ["kind"]})),
        ("/AnswerRule/properties/pointer", pointer()),
        ("/AnswerRule/properties/reason_pointer", pointer()),
        ("/AnswerRule/properties/failure", scalar()),
        (
            "/RetryInput/properties/schedule_s",
            json!({"items": {"type": "integer", "minimum": 0, "maximum": 604_800}, "maxItems": 20}),
        ),
        ("/HmacSigning/properties/header", json!({"minLength": 1})),
        ("/HmacSigning/properties/signed", json!({"pattern": r"\{body\}"})),
    ]
}
