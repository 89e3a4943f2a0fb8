//! Versions of plugins, and their components.

use bytes::Bytes;
use hookmill_model::{Digest, Plugin, PluginName, PluginVersion, SpaceId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{DeletedPlugin, StoreError, WaitingDeliveries};
use super::ids;
use super::row::{Columns as _, corrupt, count, json, micros};
use super::unreadable::Unreadable;

const FIND_DIGEST: &str = "SELECT digest FROM plugins WHERE coalesce(space, '') = ?1 AND name = ?2 AND version = ?3";

const PUT_COMPONENT: &str = "INSERT INTO components (digest, bytes) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING";

const PUT: &str = "
    INSERT INTO plugins (space, name, version, digest, summary, content_types, config_schema, size_bytes, created_at,
        source)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (coalesce(space, ''), name, version) DO UPDATE SET
        digest = ?4, summary = ?5, content_types = ?6, config_schema = ?7, size_bytes = ?8, created_at = ?9,
        source = ?10";

const USABLE: &str = "
    SELECT * FROM plugins WHERE coalesce(space, '') IN ('', ?1) AND (?2 IS NULL OR name = ?2)";

pub(super) const WAITING: &str = "
    SELECT waiting.delivery, deliveries.id, accepted_at, subscriptions.id AS subscription
    FROM pinned_plugins CROSS JOIN waiting INDEXED BY waiting_by_pinned ON pinned = pinned_plugins.id
        JOIN spaces ON spaces.key = waiting.space
        JOIN subscriptions ON subscriptions.key = waiting.subscription
        JOIN deliveries ON deliveries.key = waiting.delivery
        JOIN events ON events.key = event
    WHERE digest = ?1 AND spaces.id = ?2";

const DELETE: &str = "DELETE FROM plugins WHERE space = ?1 AND name = ?2 AND version = ?3 AND digest = ?4";

pub(super) const DELETE_COMPONENT: &str = "
    DELETE FROM components
    WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM plugins WHERE digest = ?1)
        AND NOT EXISTS (SELECT 1 FROM pinned_plugins WHERE digest = ?1)";

const SHARED: &str = "SELECT * FROM plugins WHERE space IS NULL AND name = ?1 AND version = ?2";

const REMOVE_FILES: &str = "
    DELETE FROM plugins WHERE space IS NULL AND source LIKE 'file:%'
        AND lower(hex(digest)) NOT IN (SELECT value FROM json_each(?1))";

pub(super) const DIGESTS: &str = "SELECT digest FROM components ORDER BY digest";

/// The kind of their rows, and the column that names one.
const PLUGIN: (&str, &str) = ("plugin", "name");

const COMPONENT: &str = "SELECT bytes FROM components WHERE digest = ?1";

/// See [`Store::put_plugin`](super::super::Store::put_plugin). A component that a bundled plugin no longer uses is
/// kept: subscriptions may refer to it.
pub(super) fn put(db: &Connection, plugin: &Plugin, component: &[u8]) -> Result<bool, StoreError> {
    match digest(db, plugin)? {
        Some(digest) if digest == plugin.digest => return Ok(true),
        Some(_) if plugin.space.is_some() => return Ok(false),
        _ => {}
    }
    db.prepare_cached(PUT_COMPONENT)?.execute(params![plugin.digest.as_bytes(), component])?;
    db.prepare_cached(PUT)?.execute(params![
        plugin.space.as_ref().map(SpaceId::as_str),
        plugin.name.as_str(),
        plugin.version.to_string(),
        plugin.digest.as_bytes(),
        plugin.summary,
        json(&plugin.content_types),
        json(&plugin.config_schema),
        count(plugin.size_bytes),
        micros(plugin.created_at),
        plugin.source,
    ])?;
    Ok(true)
}

/// Returns the digest that is stored under this plugin's name and version.
fn digest(db: &Connection, plugin: &Plugin) -> Result<Option<Digest>, StoreError> {
    let space = plugin.space.as_ref().map_or("", SpaceId::as_str);
    let mut select = db.prepare_cached(FIND_DIGEST)?;
    let found = select.query_row(params![space, plugin.name.as_str(), plugin.version.to_string()], |row| {
        row.value::<[u8; 32]>("digest")
    });
    Ok(found.optional()?.map(Digest::from))
}

/// See [`Store::plugins`](super::super::Store::plugins). Sorted here, since SQLite cannot compare semantic versions;
/// for one name and version, the space's own comes before the bundled one.
pub(super) fn usable(
    db: &Connection,
    unreadable: &Unreadable,
    space: &SpaceId,
    name: Option<&PluginName>,
) -> Result<Vec<Plugin>, StoreError> {
    let mut select = db.prepare_cached(USABLE)?;
    let of = params![space.as_str(), name.map(PluginName::as_str)];
    let found = select.query_map(of, |row| unreadable.read(PLUGIN, row, read))?;
    let mut plugins: Vec<Plugin> = found.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
    plugins.sort_by(|a, b| {
        a.name.cmp(&b.name).then_with(|| b.version.cmp(&a.version)).then_with(|| b.space.cmp(&a.space))
    });
    Ok(plugins)
}

/// See [`Store::delete_plugin`](super::super::Store::delete_plugin).
pub(super) fn delete(
    db: &Connection,
    plugin: &Plugin,
    with_component: bool,
    limit: usize,
) -> Result<DeletedPlugin, StoreError> {
    let space = plugin.space.as_ref().map(SpaceId::as_str);
    let digest = plugin.digest.as_bytes();
    let waiting = waiting(db, digest, space, limit)?;
    if waiting.count > 0 {
        return Ok(DeletedPlugin::InUse(waiting));
    }
    db.prepare_cached(DELETE)?.execute(params![space, plugin.name.as_str(), plugin.version.to_string(), digest])?;
    if with_component {
        db.prepare_cached(DELETE_COMPONENT)?.execute([digest])?;
    }
    Ok(DeletedPlugin::Done)
}

/// Returns the deliveries of a space that are still to be retried with this component.
fn waiting(
    db: &Connection,
    digest: &[u8; 32],
    space: Option<&str>,
    limit: usize,
) -> Result<WaitingDeliveries, StoreError> {
    let mut waiting = WaitingDeliveries::default();
    let mut select = db.prepare_cached(WAITING)?;
    let mut rows = select.query(params![digest, space])?;
    while let Some(row) = rows.next()? {
        waiting.count += 1;
        if waiting.first.len() < limit {
            let id = ids::of_delivery(row.value("delivery")?, row.value("id")?, row.time("accepted_at")?);
            waiting.first.push((id, row.text("subscription")?));
        }
    }
    Ok(waiting)
}

/// See [`Store::shared_plugin`](super::super::Store::shared_plugin).
pub(super) fn shared(
    db: &Connection,
    unreadable: &Unreadable,
    name: &PluginName,
    version: &PluginVersion,
) -> Result<Option<Plugin>, StoreError> {
    let mut select = db.prepare_cached(SHARED)?;
    let of = params![name.as_str(), version.to_string()];
    let found = select.query_row(of, |row| unreadable.read(PLUGIN, row, read));
    Ok(found.optional()?.flatten())
}

/// See [`Store::remove_files_but`](super::super::Store::remove_files_but).
pub(super) fn remove_files_but(db: &Connection, digests: &[Digest]) -> Result<(), StoreError> {
    let digests: Vec<_> = digests.iter().map(Digest::hex).collect();
    db.prepare_cached(REMOVE_FILES)?.execute([json(&digests)])?;
    Ok(())
}

/// See [`Store::component_digests`](super::super::Store::component_digests).
pub(super) fn component_digests(db: &Connection) -> Result<Vec<Digest>, StoreError> {
    let mut select = db.prepare_cached(DIGESTS)?;
    let found = select.query_map([], |row| row.value::<[u8; 32]>("digest").map(Digest::from))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// See [`Store::component`](super::super::Store::component).
pub(super) fn component(db: &Connection, digest: Digest) -> Result<Option<Bytes>, StoreError> {
    let mut select = db.prepare_cached(COMPONENT)?;
    let bytes: Option<Vec<u8>> = select.query_row([digest.as_bytes()], |row| row.value("bytes")).optional()?;
    Ok(bytes.map(Bytes::from))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Plugin> {
    Ok(Plugin {
        space: row.text_if_any("space")?,
        name: row.text("name")?,
        version: PluginVersion::parse(&row.value::<String>("version")?).map_err(|error| corrupt("version", error))?,
        digest: Digest::from(row.value::<[u8; 32]>("digest")?),
        summary: row.value("summary")?,
        content_types: row.json("content_types")?,
        config_schema: row.json("config_schema")?,
        size_bytes: row.count("size_bytes")?,
        source: row.value("source")?,
        created_at: row.time("created_at")?,
    })
}
