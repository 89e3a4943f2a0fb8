//! Who may do what: keys and spaces in memory, so that no request waits for a query to be let in.
//!
//! A handler names what it needs as its first argument, [`Admin`], [`Manages`], [`Produces`] or [`Reads`]; without one
//! of them it does not learn which space it is about. A key of one space learns nothing of others: it is refused
//! there whether they exist or not.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::extract::PathParams;
use crate::api::Api;
use crate::error::{Code, Error};
use crate::keys::KeyText;
use hookmill_model::{Key, KeyId, Role, SpaceId};
use hookmill_store::{Store, StoreError};

/// Spaces read from the store at a time.
const PAGE: usize = 1_000;

/// All keys and the ids of all spaces. Rows are the truth: what changes is written there first and entered here after.
pub(crate) struct Access {
    keys: RwLock<BTreeMap<KeyId, Arc<Key>>>,
    spaces: RwLock<HashSet<SpaceId>>,
    changing: tokio::sync::Mutex<()>,
}

impl Access {
    /// Reads them from the store.
    pub(crate) async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let keys = store.keys().await?.into_iter().map(|key| (key.id, Arc::new(key))).collect();
        let mut spaces = HashSet::new();
        let mut after = None;
        loop {
            let page = store.spaces(after, PAGE).await?;
            after = page.last().map(|space| space.id.clone());
            let last = page.len() < PAGE;
            spaces.extend(page.into_iter().map(|space| space.id));
            if last {
                let changing = tokio::sync::Mutex::default();
                return Ok(Self { keys: RwLock::new(keys), spaces: RwLock::new(spaces), changing });
            }
        }
    }

    /// Keeps everybody else from changing keys between a look and a change.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// All keys, oldest first.
    pub(crate) fn keys(&self) -> Vec<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Enters a key.
    pub(crate) fn put_key(&self, key: Key) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.id, Arc::new(key));
    }

    /// Forgets a key: from now on nobody gets in with it.
    pub(crate) fn remove_key(&self, id: KeyId) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Whether there is such a space.
    pub(crate) fn knows(&self, space: &SpaceId) -> bool {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner).contains(space)
    }

    /// Enters a space.
    pub(crate) fn put_space(&self, space: SpaceId) {
        self.spaces.write().unwrap_or_else(PoisonError::into_inner).insert(space);
    }

    /// The key that a request comes with.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Key>, Error> {
        let unknown = || {
            let detail = "a request needs the header `Authorization: Bearer hmk_…` with a key that this host knows";
            Error::new(Code::Unauthenticated, detail)
        };
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unknown)?;
        let (scheme, text) = value.split_once(' ').ok_or_else(unknown)?;
        let given =
            KeyText::parse(text.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or_else(unknown)?;
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&given.id).cloned();
        let key = key.ok_or_else(unknown)?;
        // The id is public, the secret is not: its comparison takes the same time wherever it differs.
        let same: bool = Sha256::digest(given.secret).ct_eq(&key.secret_sha256).into();
        if same { Ok(key) } else { Err(unknown()) }
    }

    /// The space in the path, if the request's key has `role` there.
    fn space(&self, headers: &HeaderMap, params: &PathParams, role: Role) -> Result<SpaceId, Error> {
        let key = self.authenticate(headers)?;
        let space: SpaceId = params.get("space")?;
        if key.space.as_ref().is_some_and(|own| *own != space) {
            return Err(Error::new(Code::Forbidden, "this key is for another space"));
        }
        if !allows(key.role, role) {
            return Err(forbidden(role));
        }
        if self.knows(&space) { Ok(space) } else { Err(Error::not_found("space", space)) }
    }
}

/// Whether a key with the role `has` may do what needs `needed`. Neither of `Read` and `Produce` includes the other: a
/// producer's key often lies in somebody else's program.
fn allows(has: Role, needed: Role) -> bool {
    match has {
        Role::Admin => true,
        Role::Manage => needed != Role::Admin,
        Role::Produce | Role::Read => has == needed,
    }
}

fn forbidden(needed: Role) -> Error {
    let needed = match needed {
        Role::Admin => "admin",
        Role::Manage => "manage",
        Role::Produce => "produce",
        Role::Read => "read",
    };
    Error::new(Code::Forbidden, format!("this needs a key with the role `{needed}`"))
}

/// Any key.
pub(crate) struct AnyKey;

impl FromRequestParts<Api> for AnyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        api.access.authenticate(&parts.headers).map(|_| Self)
    }
}

/// An administrator's key.
pub(crate) struct Admin;

impl FromRequestParts<Api> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let key = api.access.authenticate(&parts.headers)?;
        if allows(key.role, Role::Admin) { Ok(Self) } else { Err(forbidden(Role::Admin)) }
    }
}

macro_rules! in_space {
    ($(#[$doc:meta])* $name:ident, $role:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) SpaceId);

        impl FromRequestParts<Api> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
                let params = PathParams::from_request_parts(parts, api).await?;
                api.access.space(&parts.headers, &params, $role).map(Self)
            }
        }
    };
}

in_space!(
    /// The path's space, which the key may read.
    Reads, Role::Read
);
in_space!(
    /// The path's space, to which the key may post events.
    Produces, Role::Produce
);
in_space!(
    /// The path's space, which the key may change.
    Manages, Role::Manage
);
