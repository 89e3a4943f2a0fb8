//! Authorization. Keys and spaces are kept in memory, so that no request waits for a query.
//!
//! The first argument of a handler states the role it requires: [`Admin`], [`Manages`], [`Produces`] or [`Reads`]. The
//! last three also provide the space, which a handler cannot obtain otherwise. A key of one space reveals nothing about
//! others: the response is 403 whether they exist or not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use hookmill_model::{Key, KeyId, Role, SpaceId};
use hookmill_store::{Store, StoreError};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::extract::PathParams;
use crate::Api;
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::keys::KeyText;
use hookmill_server::quotas::Bucket;

/// Spaces read from the store at a time.
const PAGE: usize = 1_000;

/// The key of a request whose caller signed in with it before: set as an extension of the request, in place of the header
/// `Authorization`. Nothing that comes over a socket has extensions, so only this process can set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn(pub KeyId);

/// All keys and the ids of all spaces. The store is authoritative: a change is committed there first, then applied here.
pub(crate) struct Access {
    keys: RwLock<BTreeMap<KeyId, Arc<Key>>>,
    spaces: RwLock<HashSet<SpaceId>>,
    /// The ids of spaces whose rows cannot be read.
    unreadable: HashSet<String>,
    /// What keys that have a rate have left of it.
    rates: Mutex<HashMap<KeyId, Bucket>>,
    changing: tokio::sync::Mutex<()>,
}

impl Access {
    /// Loads keys and spaces from the store.
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
                let (keys, spaces) = (RwLock::new(keys), RwLock::new(spaces));
                let unreadable = store.unreadable().into_iter().filter(|(kind, _)| *kind == "space");
                let unreadable = unreadable.map(|(_, id)| id).collect();
                return Ok(Self { keys, spaces, unreadable, rates: Mutex::default(), changing });
            }
        }
    }

    /// Locks keys against other changes between a check and a change.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Returns all keys, oldest first.
    pub(crate) fn keys(&self) -> Vec<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Returns a key.
    fn key(&self, id: KeyId) -> Option<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Adds a key.
    pub(crate) fn put_key(&self, key: Key) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.id, Arc::new(key));
    }

    /// Returns the number of keys of a space.
    pub(crate) fn keys_of(&self, space: &SpaceId) -> usize {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.values().filter(|key| key.space.as_ref() == Some(space)).count()
    }

    /// Removes a key. It stops working at once.
    pub(crate) fn remove_key(&self, id: KeyId) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Returns whether the space exists.
    pub(crate) fn knows(&self, space: &SpaceId) -> bool {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner).contains(space)
    }

    /// Adds a space.
    pub(crate) fn put_space(&self, space: SpaceId) {
        self.spaces.write().unwrap_or_else(PoisonError::into_inner).insert(space);
    }

    /// Removes a space and its keys. They stop working at once.
    pub(crate) fn remove_space(&self, space: &SpaceId) {
        self.spaces.write().unwrap_or_else(PoisonError::into_inner).remove(space);
        let of_space = |key: &Arc<Key>| key.space.as_ref() == Some(space);
        for key in self.keys().into_iter().filter(of_space) {
            self.remove_key(key.id);
        }
    }

    /// Returns the key of a request.
    fn authenticate(&self, parts: &Parts, now: Timestamp) -> Result<Arc<Key>, Error> {
        let unknown = || {
            let detail = "missing or unknown API key: expected the header `Authorization: Bearer hmk_…`";
            Error::new(Code::Unauthenticated, detail)
        };
        if let Some(SignedIn(id)) = parts.extensions.get() {
            let key = self.key(*id).ok_or_else(unknown)?;
            self.take_turn(&key, now)?;
            return Ok(key);
        }
        let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unknown)?;
        let (scheme, text) = value.split_once(' ').ok_or_else(unknown)?;
        let given =
            KeyText::parse(text.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or_else(unknown)?;
        let key = self.key(given.id).ok_or_else(unknown)?;
        // The secret, unlike the id, must be compared in constant time.
        let same: bool = Sha256::digest(given.secret).ct_eq(&key.secret_sha256).into();
        if !same {
            return Err(unknown());
        }
        self.take_turn(&key, now)?;
        Ok(key)
    }

    /// Counts a request of a key that has a rate.
    fn take_turn(&self, key: &Key, now: Timestamp) -> Result<(), Error> {
        let Some(rate) = key.requests_per_s.map(f64::from) else { return Ok(()) };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = rates.entry(key.id).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, 1.0, now).map_err(|retry_after_s| {
            let detail = format!("the key's rate of {rate} requests per second is used up");
            Error { retry_after_s: Some(retry_after_s), ..Error::new(Code::QuotaExceeded, detail) }
        })
    }

    /// Returns the space in the path, if the request's key has `role` there.
    fn space(&self, parts: &Parts, params: &PathParams, role: Role, now: Timestamp) -> Result<SpaceId, Error> {
        let key = self.authenticate(parts, now)?;
        let space: SpaceId = params.get("space")?;
        if key.space.as_ref().is_some_and(|own| *own != space) {
            return Err(Error::new(Code::Forbidden, "the key belongs to another space"));
        }
        if !allows(key.role, role) {
            return Err(forbidden(role));
        }
        self.known(space)
    }

    /// Returns a space that exists and can be read.
    fn known(&self, space: SpaceId) -> Result<SpaceId, Error> {
        if self.knows(&space) {
            return Ok(space);
        }
        if self.unreadable.contains(space.as_str()) {
            return Err(StoreError::Unreadable("space", space.to_string()).into());
        }
        Err(Error::not_found("space", space))
    }
}

/// Returns whether the role `has` includes the role `needed`. `Produce` does not include `Read`: a producer's key is often
/// part of a third party's program. Nor does `Read` include `Produce`.
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
    Error::new(Code::Forbidden, format!("the operation requires a key with the role `{needed}`"))
}

/// Requires any valid key, and provides it.
pub(crate) struct AnyKey(pub(crate) Arc<Key>);

impl FromRequestParts<Api> for AnyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Ok(Self(api.access.authenticate(parts, api.host.clock.now())?))
    }
}

/// Requires an admin key.
pub(crate) struct Admin;

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let key = api.access.authenticate(parts, api.host.clock.now())?;
        if allows(key.role, Role::Admin) { Ok(Self) } else { Err(forbidden(Role::Admin).into()) }
    }
}

/// Requires an admin key, and provides the space in the path.
pub(crate) struct AdminOf(pub(crate) SpaceId);

impl FromRequestParts<Api> for AdminOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Admin::from_request_parts(parts, api).await?;
        let params = PathParams::from_request_parts(parts, api).await?;
        let space: SpaceId = params.get("space")?;
        Ok(Self(api.access.known(space)?))
    }
}

macro_rules! in_space {
    ($(#[$doc:meta])* $name:ident, $role:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) SpaceId);

        impl FromRequestParts<Api> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
                let params = PathParams::from_request_parts(parts, api).await?;
                Ok(Self(api.access.space(parts, &params, $role, api.host.clock.now())?))
            }
        }
    };
}

in_space!(
    /// The space in the path, which the key is allowed to read.
    Reads, Role::Read
);
in_space!(
    /// The space in the path, to which the key is allowed to post events.
    Produces, Role::Produce
);
in_space!(
    /// The space in the path, which the key is allowed to change.
    Manages, Role::Manage
);
