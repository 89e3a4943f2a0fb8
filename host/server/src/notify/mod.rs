//! Notify: informs a space of failed deliveries and pauses, by operational events and by mail.
//!
//! Notices are rows. Recording a failed delivery counts it in its subscription's failure group, in the same transaction.
//! A group is reported once it has waited for [`NotifyConfig::window_s`], and then not again for
//! [`NotifyConfig::quiet_s`], or for an hour if a delivery succeeds in between. A pause is reported at once, with all
//! failures until then. So a dead receiver causes one or two messages, however many events it misses.
//!
//! A notice is sent in two steps, each by its own loop, since a mail server that hangs must not delay events: its event
//! is committed like any other, then its mail is sent. The row is updated after each step, so each is done at least once;
//! the event's id is in the row, which makes a second event a repeat.
//!
//! Failed deliveries of operational events cause no operational event, which would never end.
//!
//! Nothing here relies on a mail arriving: a mail that the server accepted counts as sent.
//!
//! [`NotifyConfig::window_s`]: crate::config::NotifyConfig::window_s
//! [`NotifyConfig::quiet_s`]: crate::config::NotifyConfig::quiet_s

mod event;
mod test_mail;
mod text;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::after;
use crate::host::Host;
use crate::ingest::{self, Target};
use crate::mail::{Mail, MailError};
use crate::queues::Alarm;
use hookmill_model::{Notice, NoticeKind, NoticeStage};
use hookmill_store::{NoticeStep, StoreError};

pub use test_mail::send_test;

/// The number of rows fetched at a time.
const PAGE: usize = 100;

/// The pause of a loop after the store failed.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The pause after the first failed attempt to send a mail; it doubles with each further one.
const MAIL_PAUSE_S: i64 = 60;

/// The longest pause, so that mails are sent within an hour after a mail server recovers.
const MAIL_PAUSE_S_MAX: i64 = 60 * 60;

/// The time for which a mail is retried: other mail servers give up after the same time, and its news is old by then.
const MAIL_KEPT: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Sends notices until `shutdown`, which interrupts it: the next host completes the interrupted steps.
pub async fn run(host: Arc<Host>, shutdown: CancellationToken) {
    let loops = async { tokio::join!(event_loop(&host), mail_loop(&host)) };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = loops => {}
    }
}

async fn event_loop(host: &Arc<Host>) {
    // Rows from before this start: nothing set the alarm for them.
    host.notices.events.due(Timestamp::MIN);
    loop {
        host.notices.events.rung(&host.clock).await;
        events(host).await;
    }
}

async fn mail_loop(host: &Arc<Host>) {
    host.notices.mails.due(Timestamp::MIN);
    loop {
        host.notices.mails.rung(&host.clock).await;
        mails(host).await;
    }
}

/// Sends all that is due now and returns the number of events; tests step with it.
pub async fn run_once(host: &Arc<Host>) -> usize {
    let count = events(host).await;
    mails(host).await;
    count
}

/// Runs one round of events. A host error is logged, and the round is repeated a little later.
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
    tracing::error!(error = err as &dyn std::error::Error, "notice round failed");
    alarm.due(after(host.clock.now(), STORE_PAUSE));
}

async fn try_events(host: &Arc<Host>) -> Result<usize, StoreError> {
    let Host { store, notices, clock, .. } = &**host;
    let now = clock.now();
    store.raise_notices(now, notices.window, after(now, notices.quiet)).await?;
    let mut count = 0;
    loop {
        let waiting = store.notices(NoticeStage::Event, now, PAGE).await?;
        if waiting.is_empty() {
            break;
        }
        for notice in &waiting {
            let step = commit_event(host, notice).await?;
            store.step_notice(&notice.id, step).await?;
        }
        count += waiting.len();
    }
    // Even without an event: a pause that causes none still has its mail.
    notices.mails.due(now);
    let next = store.next_notice(NoticeStage::Event, notices.window).await?;
    next.into_iter().for_each(|next| notices.events.due(next));
    Ok(count)
}

async fn commit_event(host: &Arc<Host>, notice: &Notice) -> Result<NoticeStep, StoreError> {
    // The subscription was deleted since.
    let Some(compiled) = host.registry.get(notice.subscription_id) else { return Ok(NoticeStep::Done) };
    let (incoming, space) = (event::incoming(notice, &compiled.subscription), compiled.subscription.space.clone());
    // A conflict also means our own event, repeated after the subscription was renamed: no one else knows the id.
    ingest::accept(host, space, vec![incoming], Target::Matching).await?;
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
        subject: text::subject(notice, subscription),
        text: text::text(notice, subscription, host.config.notify.quiet_s),
    };
    match mailer.send(mail).await {
        Ok(()) => Ok(NoticeStep::Done),
        Err(err) => Ok(retry_later(host, notice, &err)),
    }
}

fn retry_later(host: &Host, notice: &Notice, err: &MailError) -> NoticeStep {
    let now = host.clock.now();
    let error = err as &dyn std::error::Error;
    if now.duration_since(notice.at) >= MAIL_KEPT {
        tracing::error!(notice.id = %notice.id, subscription.id = %notice.subscription_id, error, "mail abandoned");
        return NoticeStep::Done;
    }
    let pause_s = MAIL_PAUSE_S << notice.tries.min(6);
    tracing::warn!(notice.id = %notice.id, tries = notice.tries + 1, error, "mail failed and will be retried");
    NoticeStep::Later(after(now, SignedDuration::from_secs(pause_s.min(MAIL_PAUSE_S_MAX))))
}
