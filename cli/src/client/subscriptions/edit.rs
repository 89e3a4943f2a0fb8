//! `hookmill subscriptions edit`: the definition in an editor; what was changed is sent as a JSON merge patch.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use hookmill_model::SubscriptionId;
use http::Method;
use serde_json::{Map, Value};

use super::super::print;
use super::super::session::{Session, read_json};

const EXAMPLES: &str = "\
Examples:
  EDITOR='code --wait' hookmill subscriptions edit sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E
  echo '{\"delay_s\": 60}' | hookmill subscriptions edit sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E --file -

A member that is removed in the editor has its default again; `***` stands for a secret that stays.";

/// The arguments of `edit`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The subscription's id (sub_…)
    id: SubscriptionId,
    /// A file with the changed definition, or only the members to change, instead of an editor (`-` is standard input)
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn run(session: &Session, Args { id, file }: Args) -> anyhow::Result<()> {
    let url = session.at(&format!("subscriptions/{id}"))?;
    let before = editable(serde_json::from_str(&session.get(url.clone()).await?)?);
    let Some(file) = file else {
        return edit(session, url, id, &before).await;
    };
    let mut after = editable(serde_json::from_str(&read_json(&file)?).context("expected an object")?);
    // Members that the file leaves out stay as they are.
    for (name, value) in &before {
        after.entry(name).or_insert_with(|| value.clone());
    }
    send(session, url, &before, &after).await
}

/// Lets an editor change the definition.
async fn edit(session: &Session, url: String, id: SubscriptionId, before: &Map<String, Value>) -> anyhow::Result<()> {
    // Readable by the user only, as it is created: the plugin's configuration may hold what others should not see.
    let mut file = tempfile::Builder::new().prefix(&format!("{id}-")).suffix(".json").tempfile()?;
    writeln!(file, "{}", serde_json::to_string_pretty(before)?)?;
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|editor| !editor.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // By the shell, as git does: the variable may hold arguments.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status();
    let status = status.with_context(|| format!("starting {editor}"))?;
    ensure!(status.success(), "{editor} ended with {status}; nothing was changed");
    let result = async {
        let text = read_json(file.path())?;
        let after = serde_json::from_str(&text).context("expected an object")?;
        send(session, url, before, &after).await
    };
    if let Err(err) = result.await {
        let (_, kept) = file.keep().context("keeping the edited file")?;
        let kept = kept.display();
        return Err(err.context(format!(
            "nothing was changed; your text is in {kept}: correct it, then `hookmill subscriptions edit {id} --file {kept}`"
        )));
    }
    Ok(())
}

async fn send(
    session: &Session,
    url: String,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> anyhow::Result<()> {
    let patch = patch(before, after);
    if patch.is_empty() {
        return print("no change");
    }
    let names: Vec<_> = patch.keys().cloned().collect();
    let changed = session.send(Method::PATCH, url, Some(Value::Object(patch).to_string())).await?;
    session.answer(&changed, |changed| format!("{} changed: {}", super::text(changed, "id"), names.join(", ")))
}

/// Removes the members that a change cannot have, and leaves those that there are not, so that the host finds them wrong.
fn editable(mut subscription: Map<String, Value>) -> Map<String, Value> {
    // By what the description of the API says of a subscription, and of a change.
    let document = serde_json::to_value(hookmill_api::document()).unwrap_or_default();
    let members = |schema: &str| &document["components"]["schemas"][schema]["properties"];
    let (shown, changed) = (members("Subscription"), members("SubscriptionPatch"));
    subscription.retain(|name, _| changed.get(name).is_some() || shown.get(name).is_none());
    if let Some(Value::Object(plugin)) = subscription.get_mut("plugin") {
        // The range that it follows is what a change sets, and these are what comes of it.
        if let Some(range) = plugin.shift_remove("follows").filter(|range| !range.is_null()) {
            plugin.insert("version".to_owned(), range);
        }
        plugin.shift_remove("held_back");
        plugin.shift_remove("digest");
    }
    subscription
}

/// Returns the JSON merge patch (RFC 7396) that makes `after` of `before`.
fn patch(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, new) in after {
        match (before.get(name), new) {
            (Some(old), new) if old == new => {}
            // Another plugin or scheme is complete, as the host takes it.
            (Some(Value::Object(old)), Value::Object(new)) if same_kind(old, new) => {
                patch.insert(name.clone(), Value::Object(self::patch(old, new)));
            }
            _ => _ = patch.insert(name.clone(), new.clone()),
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    patch
}

fn same_kind(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    ["name", "scheme"].iter().all(|kind| old.get(*kind) == new.get(*kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(before: Value, after: Value) -> String {
        let (Value::Object(before), Value::Object(after)) = (before, after) else { unreachable!() };
        Value::Object(patch(&before, &after)).to_string()
    }

    #[test]
    fn a_patch_has_only_what_changed() {
        let before = json!({"name": "a", "retry": {"schedule_s": [1], "jitter_percent": 10}, "condition": "true"});
        assert_eq!(of(before.clone(), before.clone()), "{}");
        let after = json!({"name": "b", "retry": {"schedule_s": [1, 2], "jitter_percent": 10}});
        assert_eq!(of(before, after), r#"{"name":"b","retry":{"schedule_s":[1,2]},"condition":null}"#);
        let number =
            |text: &str| serde_json::from_str::<Value>(&format!(r#"{{"config":{{"n":{text}}}}}"#)).expect("valid");
        assert_eq!(of(number("12.5"), number("12.50")), r#"{"config":{"n":12.50}}"#);
    }

    #[test]
    fn another_plugin_is_sent_as_a_whole() {
        let plugin = |name: &str| json!({"plugin": {"name": name, "version": "1.0.0", "config": {"a": 1}}});
        let patch = of(plugin("jq"), plugin("slack"));
        assert_eq!(patch, r#"{"plugin":{"name":"slack","version":"1.0.0","config":{"a":1}}}"#);
    }
}
