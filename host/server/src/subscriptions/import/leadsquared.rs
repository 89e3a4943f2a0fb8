//! LeadSquared: webhooks as its API creates, updates and lists them.

use crate::stages::delay::DELAY_S_MAX;
use serde_json::{Map, Value, json};

use super::common::{host_of, is_mask, is_one_of};
use super::definition::{Definition, same_name};
use crate::stages::request::{check_header_name, check_header_value};
use crate::subscriptions::profile::{self, CatalogEntry, Profile};

/// Headers that a subscription can have.
const HEADERS_MAX: usize = 50;
/// The number of the one event that landing pages belong to.
const LANDING_PAGE_SUBMISSION: u32 = 1;

fn profile() -> &'static Profile {
    profile::find("leadsquared").expect("it is one of the profiles")
}

/// See [`super::leadsquared()`].
pub(super) fn convert(definition: &mut Definition<'_>) -> Result<Map<String, Value>, String> {
    if definition.has_only("webhookid") {
        return Err("it names a webhook and nothing of it, as a call that deletes does".to_owned());
    }
    match definition.text(&["type", "webhooktype"]) {
        Some(kind) if kind.eq_ignore_ascii_case("lapp") => {
            return Err("a Lapp is code that LeadSquared runs: make a plugin of it".to_owned());
        }
        Some(kind) if !kind.eq_ignore_ascii_case("webhook") => {
            return Err(format!("its type `{}` is not known", kind.escape_debug()));
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

/// The event: by its number, the vendor's words, or the text of the `eventType` parameter.
fn event(definition: &mut Definition<'_>) -> Result<&'static CatalogEntry, String> {
    let given = definition.text(&["webhookevent", "event"]).ok_or("it names no event")?;
    let number: Option<u32> = given.parse().ok();
    let is_meant = |entry: &&CatalogEntry| {
        let titled = entry.title.as_ref().is_some_and(|title| title.eq_ignore_ascii_case(&given));
        titled || entry.name.as_str() == given || (number.is_some() && entry.code == number)
    };
    let found = profile().event_types().iter().find(is_meant);
    found.ok_or_else(|| format!("the event `{}` is none of LeadSquared's", given.escape_debug()))
}

fn known_method(given: &str) -> Result<&'static str, String> {
    let known = ["POST", "GET"].into_iter().find(|known| known.eq_ignore_ascii_case(given));
    known.ok_or_else(|| format!("its method `{}` is neither POST nor GET", given.escape_debug()))
}

fn content_type(definition: &mut Definition<'_>, body: &mut Map<String, Value>) {
    const KNOWN: [&str; 3] = ["application/json", "application/x-www-form-urlencoded", "text/plain"];
    // The data of a GET goes into the query: a form's fields do, lists and texts have none.
    if body.get("method").is_some_and(|method| method == "GET") {
        body.insert("content_type".to_owned(), KNOWN[1].into());
        if definition.text(&["contenttype"]).is_none_or(|given| !given.eq_ignore_ascii_case(KNOWN[1])) {
            definition.note("its data goes into the query, as a form's: a GET has no body");
        }
        return;
    }
    let Some(given) = definition.text(&["contenttype"]) else { return };
    let essence = given.split(';').next().unwrap_or_default().trim();
    match KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(essence)) {
        Some(known) => _ = body.insert("content_type".to_owned(), known.into()),
        None => definition.doubt(&format!("its content type `{}` is not known", given.escape_debug())),
    }
}

fn delay(definition: &mut Definition<'_>, body: &mut Map<String, Value>) {
    let Some(given) = definition.text(&["executiondelay"]) else { return };
    match given.parse::<u32>() {
        Ok(seconds) if seconds <= DELAY_S_MAX => _ = body.insert("delay_s".to_owned(), seconds.into()),
        _ => definition.doubt(&format!("its delay `{}` is not 0 to {DELAY_S_MAX} seconds", given.escape_debug())),
    }
}

/// Custom headers. They often authenticate, so their values are shown to nobody.
fn headers(definition: &mut Definition<'_>, body: &mut Map<String, Value>) {
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for (index, header) in definition.list(&["customheaders"]).into_iter().enumerate() {
        match header_of(header, &headers) {
            Ok(header) => headers.push(header),
            Err(wrong) => definition.note(format!("custom header {} was left out: {wrong}", index + 1)),
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
    let (name, value) = text("key").zip(text("value")).ok_or("it is not an object of the texts Key and Value")?;
    check_header_name(name).map_err(|right| right.to_string())?;
    check_header_value(value).map_err(|right| format!("`{name}`: {right}"))?;
    match members().find(|(name, _)| !same_name(name, "key") && !same_name(name, "value")) {
        Some((other, _)) => Err(format!("`{name}` has a member `{}`, which is not known", other.escape_debug())),
        None if earlier.iter().any(|(had, _)| had.eq_ignore_ascii_case(name)) => {
            Err(format!("`{name}` stands there before, and the first one stays"))
        }
        None if earlier.len() == HEADERS_MAX => Err(format!("{HEADERS_MAX} headers are the most")),
        None if is_mask(value) => Err(format!("the value of `{name}` is masked, give it anew")),
        None => Ok((name, value)),
    }
}

/// The landing pages that alone are meant, if not all are.
fn landing_pages(definition: &mut Definition<'_>, event: &CatalogEntry, body: &mut Map<String, Value>) {
    let specific = definition.flag(&["isspecificlandingpage"]);
    let urls: Vec<Value> =
        definition.texts(&["landingpageurls", "landingpageurl"]).into_iter().flat_map(urls).collect();
    let meant = specific.unwrap_or(!urls.is_empty());
    if meant && event.code == Some(LANDING_PAGE_SUBMISSION) {
        match is_one_of("LandingPageUrl", &urls) {
            Some(condition) => _ = body.insert("condition".to_owned(), condition.into()),
            None => definition.doubt("its landing pages could not be made a condition"),
        }
    } else if !urls.is_empty() {
        definition.note("its landing pages do not apply to it, and were left out");
    }
}

/// The URLs of a text: one, or several with commas or white space between.
fn urls(text: &str) -> impl Iterator<Item = Value> {
    text.split(|char: char| char == ',' || char.is_whitespace()).filter(|url| !url.is_empty()).map(Value::from)
}

/// Receivers know the webhook by its id, which comes with each request: it stays what it was.
fn keep_id(definition: &mut Definition<'_>, id: &str, body: &mut Map<String, Value>) {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        definition.note("its id was left out: it is more than letters, digits and -");
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
