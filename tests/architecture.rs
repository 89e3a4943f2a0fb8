//! The walls of the house: which crate and which room may import which.
//!
//! The rooms are the top-level modules of `host/server/src`. They are listed in [`ROOMS`] from the ground up, and an import
//! goes downwards only, so there can be no circle between them. What is read are the paths in the code that begin with
//! `crate::`, whether in a `use` or not.
//!
//! `HOOKMILL_ROOMS_OF=path/to/src cargo test --test tests architecture::figures -- --nocapture` prints the figures of any
//! source folder whose rooms are its top-level modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the server from the ground up: a room imports only rooms that stand before it.
const ROOMS: [&str; 29] = [
    "clock",
    "config",
    "error",
    "json",
    "number",
    "texts",
    "task",
    "keys",
    "stages",
    "mail",
    "registry",
    "queues",
    "metrics",
    "recent",
    "quotas",
    "values",
    "host",
    "dispatch",
    "ingest",
    "deliver",
    "plugins",
    "subscriptions",
    "dry_run",
    "find",
    "notify",
    "replay",
    "retention",
    "erasure",
    "lib",
];

/// Our own crates that each crate may depend on.
const CRATES: [(&str, &[&str]); 9] = [
    ("host/model", &[]),
    ("host/turns", &["model"]),
    ("host/engine", &["model", "turns"]),
    ("host/store", &["model", "turns"]),
    ("host/schema", &[]),
    ("host/server", &["model", "turns", "engine", "schema", "store", "bundled"]),
    ("host/api", &["model", "turns", "store", "server"]),
    ("host/pages", &["model", "server", "api"]),
    ("cli", &["model", "engine", "store", "server", "api", "pages", "bundled"]),
];

/// Crates from outside that stand behind one wall, and who has them.
const WALLS: [(&str, &[&str]); 11] = [
    ("wasmtime", &["host/engine"]),
    ("wasmparser", &["host/engine"]),
    ("jsonschema", &["host/schema"]),
    ("axum", &["host/api", "host/pages", "cli"]),
    ("utoipa", &["host/server", "host/api"]),
    ("utoipa-axum", &["host/api"]),
    ("lettre", &["host/server"]),
    ("cel", &["host/server"]),
    ("askama", &["host/pages"]),
    ("clap", &["cli"]),
    ("wit-component", &["cli"]),
];

/// Stages that others may import: readers and writers of values, which decide nothing.
const SHARED_STAGES: [&str; 3] = ["encode", "json", "seal"];

type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The first segments behind `prefix` in the code, those of a group included: of `crate::{a::B, c}` both `a` and `c`.
fn imported(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_members(group)),
            None => found.extend(first_segment(rest)),
        }
    }
    found
}

fn first_segment(path: &str) -> Option<String> {
    let segment: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!segment.is_empty()).then_some(segment)
}

fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut start) = (0_i32, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.extend(first_segment(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.extend(first_segment(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    members
}

/// The code of a file without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("the source can be read");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room_of(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).expect("it is in the folder");
    let first = path.components().next().expect("it has a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Who imports whom, each with the files in which it does.
fn arrows(folder: &Path) -> Arrows {
    let files = sources(folder);
    let rooms: BTreeSet<_> = files.iter().map(|file| room_of(folder, file)).collect();
    let mut arrows = Arrows::new();
    for file in &files {
        let room = room_of(folder, file);
        for other in imported(&code(file), "crate::") {
            // What is no room is an item of lib.rs.
            let other = if rooms.contains(&other) { other } else { "lib".to_owned() };
            if other != room {
                let name = file.strip_prefix(folder).expect("it is in the folder").display().to_string();
                arrows.entry((room.clone(), other)).or_default().insert(name);
            }
        }
    }
    arrows
}

/// The arrows that do not go downwards in this order, in words.
fn against_the_rule(arrows: &Arrows, order: &[&str]) -> Vec<String> {
    let floor = |room: &str| order.iter().position(|known| *known == room);
    let wrong = |from: &str, to: &str| floor(from).zip(floor(to)).is_none_or(|(from, to)| to >= from);
    let wrong = arrows.iter().filter(|((from, to), _)| wrong(from, to));
    wrong.map(|((from, to), files)| format!("{from} imports {to}, in {files:?}")).collect()
}

/// Groups of rooms that import each other, directly or not.
fn circles(arrows: &Arrows) -> Vec<BTreeSet<String>> {
    let mut reach: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        reach.entry(from.clone()).or_default().insert(to.clone());
    }
    loop {
        let further: Vec<_> = reach
            .iter()
            .flat_map(|(from, to)| {
                to.iter().filter_map(|to| reach.get(to)).flatten().map(|to| (from.clone(), to.clone()))
            })
            .filter(|(from, to)| !reach[from].contains(to))
            .collect();
        if further.is_empty() {
            break;
        }
        further.into_iter().for_each(|(from, to)| _ = reach.entry(from).or_default().insert(to));
    }
    let within = |room: &String| -> BTreeSet<String> {
        let back = |other: &&String| reach.get(*other).is_some_and(|to| to.contains(room));
        reach[room].iter().filter(back).cloned().collect()
    };
    reach.keys().map(within).filter(|circle| !circle.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn a_room_of_the_server_imports_only_rooms_below_it() {
    let wrong = against_the_rule(&arrows(&root().join("host/server/src")), &ROOMS);
    assert!(wrong.is_empty(), "move what both need into a room below them:\n{}", wrong.join("\n"));
}

#[test]
fn an_arrow_against_the_rule_is_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clock.rs"), "use crate::{config::{A, B}, deliver::Deliver};\n").unwrap();
    fs::write(folder.path().join("config.rs"), "// crate::api::Api\nfn f() -> crate::clock::Clock {}\n").unwrap();
    fs::create_dir(folder.path().join("deliver")).unwrap();
    fs::write(folder.path().join("deliver/mod.rs"), "").unwrap();
    let arrows = arrows(folder.path());
    let wrong = against_the_rule(&arrows, &ROOMS);
    assert_eq!(wrong, ["clock imports config, in {\"clock.rs\"}", "clock imports deliver, in {\"clock.rs\"}"]);
    assert_eq!(circles(&arrows), [["clock", "config"].map(str::to_owned).into()]);
}

#[test]
fn a_stage_knows_no_other_stage_and_nothing_above() {
    let folder = root().join("host/server/src/stages");
    for file in sources(&folder).iter().filter(|file| **file != folder.join("mod.rs")) {
        let (stage, code) = (room_of(&folder, file), code(file));
        let others = imported(&code, "crate::stages::").into_iter().chain(imported(&code, "super::"));
        let siblings: BTreeSet<_> = sources(&folder).iter().map(|file| room_of(&folder, file)).collect();
        for other in others.filter(|other| siblings.contains(other) && *other != stage) {
            let allowed = SHARED_STAGES.contains(&&*other) || (stage == "record" && other == "delay");
            assert!(allowed, "the stage {stage} imports the stage {other}");
        }
    }
}

#[test]
fn crates_depend_only_on_crates_below_them() {
    for (name, allowed) in CRATES {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        let has: BTreeSet<_> = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
        let ours = has.iter().filter_map(|dependency| dependency.strip_prefix("hookmill-"));
        let wrong: Vec<_> = ours.filter(|dependency| !allowed.contains(dependency)).collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
        for (outside, who) in WALLS {
            assert!(!has.contains(outside) || who.contains(&name), "{name} depends on {outside}: that is {who:?}'s");
        }
    }
}

#[test]
fn only_the_registry_saves_subscriptions() {
    let folders = ["host/server/src", "host/api/src"];
    for file in folders.iter().flat_map(|folder| sources(&root().join(folder))) {
        let saves = code(&file).contains(".put_subscription(");
        assert!(!saves || file.ends_with("registry/mod.rs"), "{}: save by `registry::Changing`", file.display());
    }
}

#[test]
fn figures() {
    let asked = std::env::var_os("HOOKMILL_ROOMS_OF").map(PathBuf::from);
    let folder = asked.unwrap_or_else(|| root().join("host/server/src"));
    let arrows = arrows(&folder);
    let rooms: BTreeSet<_> = sources(&folder).iter().map(|file| room_of(&folder, file)).collect();
    let circles = circles(&arrows);
    let within = |from: &String, to: &String| circles.iter().any(|circle| circle.contains(from) && circle.contains(to));
    let in_circles = arrows.keys().filter(|(from, to)| within(from, to)).count();
    println!(
        "{} rooms, {} arrows, {} of them in {} circles: {circles:?}",
        rooms.len(),
        arrows.len(),
        in_circles,
        circles.len()
    );
    assert!(!rooms.is_empty());
}
