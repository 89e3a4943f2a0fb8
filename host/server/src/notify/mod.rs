//! Notify: a space learns when its deliveries fail, by operational events and by mail.
//!
//! What there is to tell lies in rows. Recording a failed delivery counts it in its subscription's group, in the same
//! transaction; a group is told once it has been waiting for a while ([`NotifyConfig::window_s`]), and is quiet then
//! for longer ([`NotifyConfig::quiet_s`]), or for an hour if a delivery succeeds in between. A pause is told at once, with all that failed
//! until then. So a dead receiver makes one message or two, however many events it misses.
//!
//! A notice is told in two steps, each by a loop of its own, since a mail server that hangs must not hold up events:
//! its event is committed like any other, then its mail is sent. A step is taken off the row after it was done, so
//! each is done at least once; the event's id stands in the row, which makes a second time a repeat.
//!
//! Of deliveries of operational events no operational event tells, or there would be no end to it.
//!
//! Nothing here relies on a mail arriving: what the server accepted counts as told.
//!
//! [`NotifyConfig::window_s`]: crate::config::NotifyConfig::window_s
//! [`NotifyConfig::quiet_s`]: crate::config::NotifyConfig::quiet_s

mod event;
mod words;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::ingest::{self, Target};
use crate::mail::{Mail, MailError};
use crate::queues::Alarm;
use hookmill_model::{Notice, NoticeKind, NoticeStage};
use hookmill_store::{NoticeStep, StoreError};

/// Rows fetched at a time.
const PAGE: usize = 100;

/// How long a loop leaves a failing store alone.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The first wait after a mail that was not sent; each further one is twice as long.
const MAIL_PAUSE_S: i64 = 60;

/// The longest: a mail server that works again should not wait for longer.
const MAIL_PAUSE_S_MAX: i64 = 60 * 60;

/// How long a mail is tried. After as long other mail servers give up too, and its news is old.
const MAIL_KEPT: SignedDuration = SignedDuration::from_hours(5 * 24);

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Tells notices until `shutdown`, which breaks off: whatever was not done to its end is done by the next host.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    let loops = async { tokio::join!(tell_events(&host), tell_mails(&host)) };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = loops => {}
    }
}

async fn tell_events(host: &Arc<Host>) {
    // Rows from before this start: nothing told us when they are due.
    host.notices.events.due(Timestamp::MIN);
    loop {
        host.notices.events.rung(&host.clock).await;
        events(host).await;
    }
}

async fn tell_mails(host: &Arc<Host>) {
    host.notices.mails.due(Timestamp::MIN);
    loop {
        host.notices.mails.rung(&host.clock).await;
        mails(host).await;
    }
}

/// Tells all that is due now, and returns how many events were made: how tests step.
pub async fn run_once(host: &Arc<Host>) -> usize {
    let made = events(host).await;
    mails(host).await;
    made
}

/// One round of events. Our own failure is logged, and the round made again a little later.
async fn events(host: &Arc<Host>) -> usize {
    host.notices.events.forget();
    try_events(host).await.unwrap_or_else(|err| {
        store_failed(host, &host.notices.events, &err);
        0
    })
}

async fn mails(host: &Host) {
    host.notices.mails.forget();
    if let Err(err) = try_mails(host).await {
        store_failed(host, &host.notices.mails, &err);
    }
}

fn store_failed(host: &Host, alarm: &Alarm, err: &StoreError) {
    tracing::error!(error = err as &dyn std::error::Error, "telling notices failed");
    alarm.due(after(host.clock.now(), STORE_PAUSE));
}

async fn try_events(host: &Arc<Host>) -> Result<usize, StoreError> {
    let Host { store, notices, clock, .. } = &**host;
    let now = clock.now();
    store.raise_notices(now, notices.window, after(now, notices.quiet)).await?;
    let mut made = 0;
    loop {
        let waiting = store.notices(NoticeStage::Event, now, PAGE).await?;
        if waiting.is_empty() {
            break;
        }
        for notice in &waiting {
            let step = make_event(host, notice).await?;
            store.step_notice(&notice.id, step).await?;
        }
        made += waiting.len();
    }
    // Also if no event was made: a pause that makes none has its mail next.
    notices.mails.due(now);
    let next = store.next_notice(NoticeStage::Event, notices.window).await?;
    next.into_iter().for_each(|next| notices.events.due(next));
    Ok(made)
}

async fn make_event(host: &Arc<Host>, notice: &Notice) -> Result<NoticeStep, StoreError> {
    // Deleted in the meantime: nobody asks any more.
    let Some(compiled) = host.registry.get(notice.subscription_id) else { return Ok(NoticeStep::Done) };
    let (posted, space) = (event::posted(notice, &compiled.subscription), compiled.subscription.space.clone());
    // A conflict is our own event too, if the subscription was renamed before it was made again: nobody else knows the id.
    ingest::accept(host, space, vec![posted], Target::Matching).await?;
    Ok(NoticeStep::Mail)
}

async fn try_mails(host: &Host) -> Result<(), StoreError> {
    let Host { store, notices, clock, .. } = host;
    let now = clock.now();
    loop {
        let waiting = store.notices(NoticeStage::Mail, now, PAGE).await?;
        if waiting.is_empty() {
            break;
        }
        for notice in &waiting {
            let step = send_mail(host, notice).await?;
            store.step_notice(&notice.id, step).await?;
        }
    }
    let next = store.next_notice(NoticeStage::Mail, notices.window).await?;
    next.into_iter().for_each(|next| notices.mails.due(next));
    Ok(())
}

async fn send_mail(host: &Host, notice: &Notice) -> Result<NoticeStep, StoreError> {
    let compiled = host.registry.get(notice.subscription_id).filter(|compiled| compiled.subscription.notify_on_failure);
    let (Some(mailer), Some(compiled)) = (&host.mailer, compiled) else { return Ok(NoticeStep::Done) };
    let subscription = &compiled.subscription;
    let space = host.store.space(&subscription.space).await?.filter(|space| !space.administrators.is_empty());
    let Some(space) = space.filter(|_| notice.kind != NoticeKind::SubscriptionActivated) else {
        return Ok(NoticeStep::Done);
    };
    let mail = Mail {
        id: notice.id.as_str(),
        to: &space.administrators,
        subject: words::subject(notice, subscription),
        text: words::text(notice, subscription, host.config.notify.quiet_s),
    };
    match mailer.send(mail).await {
        Ok(()) => Ok(NoticeStep::Done),
        Err(err) => Ok(try_later(host, notice, &err)),
    }
}

fn try_later(host: &Host, notice: &Notice, err: &MailError) -> NoticeStep {
    let now = host.clock.now();
    let error = err as &dyn std::error::Error;
    if now.duration_since(notice.at) >= MAIL_KEPT {
        tracing::error!(notice.id = %notice.id, subscription.id = %notice.subscription_id, error, "a mail was given up");
        return NoticeStep::Done;
    }
    let pause_s = MAIL_PAUSE_S << notice.tries.min(6);
    tracing::warn!(notice.id = %notice.id, tries = notice.tries + 1, error, "a mail was not sent, and is tried again");
    NoticeStep::Later(after(now, SignedDuration::from_secs(pause_s.min(MAIL_PAUSE_S_MAX))))
}
