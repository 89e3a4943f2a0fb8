//! LeadSquared: webhooks as its API creates, updates and lists them.

use serde_json::{Map, Value, json};

use super::common::{host_of, is_mask, is_one_of};
use super::foreign::{ForeignDefinition, same_name};
use crate::stages::delay::DELAY_S_MAX;
use crate::stages::request::{check_header_name, check_header_value};
use crate::subscriptions::profile::{self, CatalogEntry, Profile};

/// Maximum number of a subscription's headers.
const HEADERS_MAX: usize = 50;
/// Number of the only event that has landing pages.
const LANDING_PAGE_SUBMISSION: u32 = 1;

fn profile() -> &'static Profile {
    profile::find("leadsquared").expect("it is one of the profiles")
}

/// See [`super::leadsquared()`].
pub(super) fn convert(definition: &mut ForeignDefinition<'_>) -> Result<Map<String, Value>, String> {
    if definition.has_only("webhookid") {
        return Err("only the id of a webhook, as in a call that deletes it".to_owned());
    }
    match definition.text(&["type", "webhooktype"]) {
        Some(kind) if kind.eq_ignore_ascii_case("lapp") => {
            return Err("a Lapp is code that LeadSquared runs: write a plugin instead".to_owned());
        }
        Some(kind) if !kind.eq_ignore_ascii_case("webhook") => {
            return Err(format!("unknown type `{}`: expected Webhook", kind.escape_debug()));
        }
        _ => {}
    }
    let url = definition.url(&["url", "webhookurl"])?;
    let event = event(definition)?;
    let mut body = Map::new();
    let description = definition.text(&["description"]);
    let title = event.title.as_deref().unwrap_or(event.name.as_str());
    definition.called(description, format!("{title} to {}", host_of(&url)), &mut body);
    body.insert("profile".to_owned(), "leadsquared".into());
    body.insert("url".to_owned(), url.into());
    body.insert("event_types".to_owned(), json!([event.name]));
    if let Some(method) = definition.text(&["method"]) {
        body.insert("method".to_owned(), known_method(&method)?.into());
    }
    content_type(definition, &mut body);
    if let Some(notify) = definition.flag(&["notifyonfailure"]) {
        body.insert("notify_on_failure".to_owned(), notify.into());
    }
    delay(definition, &mut body);
    headers(definition, &mut body);
    landing_pages(definition, event, &mut body);
    if let Some(id) = definition.text(&["webhookid", "id"]) {
        keep_id(definition, &id, &mut body);
    }
    if definition.flag(&["isenabled", "isactive", "enabled", "status"]) == Some(false) {
        definition.make_draft();
    }
    Ok(body)
}

/// Returns the event: by its number, the vendor's title, or the value of the `eventType` parameter.
fn event(definition: &mut ForeignDefinition<'_>) -> Result<&'static CatalogEntry, String> {
    let given = definition.text(&["webhookevent", "event"]).ok_or("the definition has no event")?;
    let number: Option<u32> = given.parse().ok();
    let matches = |entry: &&CatalogEntry| {
        let titled = entry.title.as_ref().is_some_and(|title| title.eq_ignore_ascii_case(&given));
        titled || entry.name.as_str() == given || (number.is_some() && entry.code == number)
    };
    let found = profile().event_types().iter().find(matches);
    found.ok_or_else(|| format!("LeadSquared has no event `{}`", given.escape_debug()))
}

fn known_method(given: &str) -> Result<&'static str, String> {
    let known = ["POST", "GET"].into_iter().find(|known| known.eq_ignore_ascii_case(given));
    known.ok_or_else(|| format!("unknown method `{}`: expected POST or GET", given.escape_debug()))
}

fn content_type(definition: &mut ForeignDefinition<'_>, body: &mut Map<String, Value>) {
    const KNOWN: [&str; 3] = ["application/json", "application/x-www-form-urlencoded", "text/plain"];
    // The data of a GET goes into the query, which only form fields can.
    if body.get("method").is_some_and(|method| method == "GET") {
        body.insert("content_type".to_owned(), KNOWN[1].into());
        if definition.text(&["contenttype"]).is_none_or(|given| !given.eq_ignore_ascii_case(KNOWN[1])) {
            definition.note("the data goes into the query as form fields, since a GET has no body");
        }
        return;
    }
    let Some(given) = definition.text(&["contenttype"]) else { return };
    let essence = given.split(';').next().unwrap_or_default().trim();
    match KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(essence)) {
        Some(known) => _ = body.insert("content_type".to_owned(), known.into()),
        None => definition.doubt(&format!("unknown content type `{}`", given.escape_debug())),
    }
}

fn delay(definition: &mut ForeignDefinition<'_>, body: &mut Map<String, Value>) {
    let Some(given) = definition.text(&["executiondelay"]) else { return };
    match given.parse::<u32>() {
        Ok(seconds) if seconds <= DELAY_S_MAX => _ = body.insert("delay_s".to_owned(), seconds.into()),
        _ => definition
            .doubt(&format!("delay `{}` out of range: expected 0 to {DELAY_S_MAX} seconds", given.escape_debug())),
    }
}

/// Sets the custom headers. They often authenticate, so their values are secret.
fn headers(definition: &mut ForeignDefinition<'_>, body: &mut Map<String, Value>) {
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for (index, header) in definition.list(&["customheaders"]).into_iter().enumerate() {
        match header_of(header, &headers) {
            Ok(header) => headers.push(header),
            Err(wrong) => definition.note(format!("custom header {} was ignored: {wrong}", index + 1)),
        }
    }
    if !headers.is_empty() {
        let header = |(name, value): (&str, &str)| json!({"name": name, "value": value, "secret": true});
        body.insert("headers".to_owned(), headers.into_iter().map(header).collect());
    }
}

fn header_of<'a>(header: &'a Value, earlier: &[(&str, &str)]) -> Result<(&'a str, &'a str), String> {
    let members = || header.as_object().into_iter().flatten();
    let text = |asked| members().find(|(name, _)| same_name(name, asked)).and_then(|(_, value)| value.as_str());
    let (name, value) = text("key").zip(text("value")).ok_or("expected an object with the strings Key and Value")?;
    check_header_name(name).map_err(|right| right.to_string())?;
    check_header_value(value).map_err(|right| format!("`{name}`: {right}"))?;
    match members().find(|(name, _)| !same_name(name, "key") && !same_name(name, "value")) {
        Some((other, _)) => Err(format!("`{name}` has an unknown member `{}`", other.escape_debug())),
        None if earlier.iter().any(|(had, _)| had.eq_ignore_ascii_case(name)) => {
            Err(format!("`{name}` is given twice, and the first one is used"))
        }
        None if earlier.len() == HEADERS_MAX => Err(format!("at most {HEADERS_MAX} headers are allowed")),
        None if is_mask(value) => Err(format!("the value of `{name}` is masked: set it again")),
        None => Ok((name, value)),
    }
}

/// Sets the condition for specific landing pages, if not all are selected.
fn landing_pages(definition: &mut ForeignDefinition<'_>, event: &CatalogEntry, body: &mut Map<String, Value>) {
    let specific = definition.flag(&["isspecificlandingpage"]);
    let urls: Vec<Value> =
        definition.texts(&["landingpageurls", "landingpageurl"]).into_iter().flat_map(urls).collect();
    let selected = specific.unwrap_or(!urls.is_empty());
    if selected && event.code == Some(LANDING_PAGE_SUBMISSION) {
        match is_one_of("LandingPageUrl", &urls) {
            Some(condition) => _ = body.insert("condition".to_owned(), condition.into()),
            None => definition.doubt("the landing pages could not be converted to a condition"),
        }
    } else if !urls.is_empty() {
        definition.note("the landing pages do not apply and were ignored");
    }
}

/// Returns the URLs in a text, separated by commas or white space.
fn urls(text: &str) -> impl Iterator<Item = Value> {
    text.split(|char: char| char == ',' || char.is_whitespace()).filter(|url| !url.is_empty()).map(Value::from)
}

/// Keeps the webhook's id, by which receivers know it: it is in each request.
fn keep_id(definition: &mut ForeignDefinition<'_>, id: &str, body: &mut Map<String, Value>) {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        definition.note("the id was ignored: expected only letters, digits and -");
        return;
    }
    let defaults = profile().defaults(1).expect("every profile has a first generation");
    let mut query = defaults.get("query").cloned().unwrap_or_default();
    let mut parameters = query.as_array_mut().into_iter().flatten();
    if let Some(parameter) = parameters.find(|parameter| parameter["name"] == "entityId") {
        parameter["value"] = id.into();
        body.insert("query".to_owned(), query);
    }
}
