//! Retention and erasure: which of their work is a reader's, and which the writer's.

use async_trait::async_trait;
use hookmill_model::{Erasure, ErasureId, ErasureTarget, SpaceId, SubscriptionId};
use jiff::Timestamp;
use rusqlite::Connection;

use super::super::{ErasureStep, Expired, ForgetStore, Forgotten, Place, StoreError};
use super::writing::Writing;
use super::{Sqlite, erase, erasures, forget, names, pages, rollup};

/// Pages that are overwritten in one transaction: 256 KiB of log.
const PAGES_WRITTEN: usize = 64;

#[async_trait]
impl ForgetStore for Sqlite {
    async fn forget(&self, subscription: SubscriptionId, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let old = self.readers.read(move |db| forget::old(db, subscription, before, limit)).await?;
        if old.is_empty() {
            return Ok(0);
        }
        self.writer.write(move |db| forget::forget(db, &old, before)).await
    }

    async fn forget_events(
        &self,
        space: &SpaceId,
        expired: Expired,
        from: Place,
        limit: usize,
    ) -> Result<Forgotten, StoreError> {
        let of = space.clone();
        let found = self.readers.read_for(space, move |db| {
            let Some(space) = names::space(db, &of)? else { return Ok(Vec::new()) };
            forget::oldest(db, space, from.event, expired.accepted_before, limit)
        });
        let found = found.await?;
        if found.is_empty() {
            return Ok(Forgotten::default());
        }
        self.writer.write(move |db| forget::forget_events(db, &found, from, expired, limit)).await
    }

    async fn sum_up_counts(
        &self,
        after: i64,
        minutes_before: Timestamp,
        all_before: Timestamp,
        limit: usize,
    ) -> Result<Option<i64>, StoreError> {
        let old = rollup::Old::new(minutes_before, all_before);
        let (scopes, next) = self.readers.read(move |db| rollup::find(db, after, old, limit)).await?;
        if !scopes.is_empty() {
            self.writer.write(move |db| rollup::sum_up(db, &scopes, old)).await?;
        }
        Ok(next)
    }

    async fn begin_erasure(
        &self,
        space: &SpaceId,
        target: ErasureTarget,
        now: Timestamp,
    ) -> Result<Option<Erasure>, StoreError> {
        let space = space.clone();
        self.writer.write(move |db| erasures::begin(db, &space, &target, now)).await
    }

    async fn erasure(&self, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
        self.readers.read(move |db| erasures::one(db, id)).await
    }

    async fn erasures(
        &self,
        space: &SpaceId,
        before: Option<ErasureId>,
        limit: usize,
    ) -> Result<Vec<Erasure>, StoreError> {
        let of = space.clone();
        self.readers.read_for(space, move |db| erasures::list(db, &of, before, limit)).await
    }

    async fn unfinished_erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        self.own_readers.read(erasures::unfinished).await
    }

    async fn step_erasure(&self, erasure: &Erasure, now: Timestamp, limit: usize) -> Result<ErasureStep, StoreError> {
        let (of, searched) = (erasure.clone(), erasure.clone());
        let found = match &erasure.target {
            ErasureTarget::Value { .. } | ErasureTarget::Space => {
                let find = move |db: &Connection| {
                    let range = erasures::range(db, &searched)?;
                    erase::find(db, &searched.space, &searched.target, range, limit)
                };
                self.readers.read_for(&erasure.space, find).await?
            }
            _ => erase::FoundEvents::default(),
        };
        let step = self.writer.write(move |db| erasures::step(db, &of, &found, now, limit)).await?;
        if step == ErasureStep::Erased && erasure.target == ErasureTarget::Space {
            self.shared.stored(|stored| stored.removed(&erasure.space));
        }
        Ok(step)
    }

    async fn clean_pages(&self, from: u32, count: u32) -> Result<Option<u32>, StoreError> {
        let pages::Remains { pages, next } = self.readers.read(move |db| pages::find(db, from, count)).await?;
        for pages in pages.chunks(PAGES_WRITTEN) {
            let pages = pages.to_vec();
            self.writer.write(move |db| pages::wipe(db, &pages)).await?;
        }
        Ok(next)
    }

    async fn empty_log(&self) -> Result<bool, StoreError> {
        let empty = |db: &Writing<'_>| {
            db.empty_log();
            Ok(())
        };
        self.writer.write(empty).await?;
        Ok(self.shared.log_is_empty())
    }

    async fn finish_erasure(&self, id: ErasureId, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(move |db| erasures::finish(db, id, now)).await
    }

    fn stored_bytes(&self, space: &SpaceId) -> u64 {
        self.shared.stored(|stored| stored.of(space))
    }

    fn all_stored_bytes(&self) -> Vec<(SpaceId, u64)> {
        self.shared.stored(|stored| stored.all())
    }
}
