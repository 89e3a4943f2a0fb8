//! The test of a space's mails: one to its administrators, at once.

use std::time::Duration;

use jiff::SignedDuration;

use super::text;
use crate::clock::after;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::mail::Mail;
use hookmill_model::{EventId, MailAddress, SpaceId};

/// The pause between two tests of a space, whose addresses may be strangers'.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The time that the mail server may take: a person waits.
const WITHIN: Duration = Duration::from_secs(30);

/// Sends a mail to the space's administrators, and returns them once the mail server has accepted it.
///
/// # Errors
/// If there is nobody to send it to or no mail server, the last test was less than a minute ago, the mail server does not
/// accept the mail, or the store fails.
pub async fn send_test(host: &Host, space: &SpaceId) -> Result<Vec<MailAddress>, Error> {
    let unavailable = |detail: &str| Error::new(Code::MailUnavailable, detail);
    let mailer = host.mailer.as_ref();
    let mailer =
        mailer.ok_or_else(|| unavailable("the host has no mail server: expected `[mail]` in its configuration"))?;
    let found = host.store.space(space).await?.ok_or_else(|| Error::not_found("space", space))?;
    if found.administrators.is_empty() {
        return Err(unavailable("the space has no mail addresses: expected some in its `administrators`"));
    }
    let now = host.clock.now();
    host.notices.take_test(space, now, after(now, PAUSE)).map_err(|until| {
        let wait_s = u32::try_from(until.duration_since(now).as_secs() + 1).unwrap_or(1);
        let detail = "the last test mail of the space was sent less than a minute ago";
        Error { retry_after_s: Some(wait_s), ..Error::new(Code::QuotaExceeded, detail) }
    })?;
    let id = EventId::new(now);
    let (subject, text) = (text::test_subject(&found), text::test_text(&found));
    let sending = mailer.send(Mail { id: id.as_str(), to: &found.administrators, subject, text });
    match tokio::time::timeout(WITHIN, sending).await {
        Ok(Ok(())) => Ok(found.administrators),
        Ok(Err(err)) => {
            let err = anyhow::Error::from(err);
            tracing::warn!(space = %space, error = format!("{err:#}"), "test mail failed");
            Err(Error::new(Code::MailFailed, format!("{err:#}")))
        }
        Err(_) => {
            let detail = format!("the mail server did not accept the mail within {} s", WITHIN.as_secs());
            Err(Error::new(Code::MailFailed, detail))
        }
    }
}
