//! Activation, and the handshake that goes before it.
//!
//! A subscription that asks for a handshake is `verifying` until its endpoint has passed it, in its row too: whatever
//! ends the process meanwhile, no real event goes to an endpoint that did not agree. The endpoint is asked without
//! holding up anybody else's changes; if the subscription is changed meanwhile, what the endpoint said does not count.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::test;
use super::view::SubscriptionView;
use crate::api::Api;
use crate::api::http::access::Manages;
use crate::api::http::extract::PathParams;
use crate::api::http::problem::Problem;
use crate::dispatch::handshake;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::subscriptions::saving::{change, find, save};
use crate::task::unbroken;
use hookmill_model::{Handshake, HandshakeKind, HandshakeReport, Subscription, SubscriptionId, SubscriptionState};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(activate_subscription))
}

/// Activates a subscription, after its handshake.
///
/// Events match it again, and the deliveries that were held go on.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/activate", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "handshake_rejected: the endpoint did not pass; or subscription_state: it was changed meanwhile, \
                or has no event types yet")))]
async fn activate_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Error> {
    let id: SubscriptionId = params.get("subscription")?;
    unbroken(async move {
        let (subscription, _) = change(&api.host, space.clone(), id, |subscription| {
            if subscription.event_types.is_empty() {
                let detail = "the subscription wants no events yet: give it some `event_types` first";
                return Err(Error::new(Code::SubscriptionState, detail));
            }
            match (&subscription.handshake, subscription.state) {
                // Nothing is asked again of what is active.
                (_, SubscriptionState::Active) => {}
                (None, _) => activate(subscription),
                (Some(_), _) => subscription.state = SubscriptionState::Verifying,
            }
            Ok(())
        })
        .await?;
        let subscription = verify(&api, subscription).await?;
        if subscription.state != SubscriptionState::Active {
            let reason = subscription.handshake_report.as_ref().map_or("", |report| report.reason.as_str());
            return Err(Error::new(Code::HandshakeRejected, reason));
        }
        let (subscription, activity) = find(&api.host, &space, id).await?;
        Ok(Json(SubscriptionView::of(subscription, activity)))
    })
    .await
}

fn activate(subscription: &mut Subscription) {
    subscription.state = SubscriptionState::Active;
    subscription.pause_reason = None;
    subscription.pause_detail = None;
}

/// Asks the endpoint of a subscription that is `verifying`, and activates it if that passes. One in any other state is
/// given back as it is.
pub(super) async fn verify(api: &Api, asked: Subscription) -> Result<Subscription, Error> {
    let Some(handshake) = asked.handshake.clone().filter(|_| asked.state == SubscriptionState::Verifying) else {
        return Ok(asked);
    };
    let Report(report) = ask(api, &asked, &handshake).await?;
    let changing = api.host.registry.changing().await;
    let mut now = check_unchanged(&api.host, &asked).await?;
    if report.passed {
        activate(&mut now);
    }
    now.handshake_report = Some(report);
    save(&api.host, &changing, &now).await?;
    Ok(now)
}

/// What an endpoint was found to be.
pub(super) struct Report(HandshakeReport);

impl Report {
    /// The report of an endpoint that passed; a problem if it did not.
    pub(super) fn passed(self) -> Result<HandshakeReport, Error> {
        if self.0.passed { Ok(self.0) } else { Err(Error::new(Code::HandshakeRejected, self.0.reason)) }
    }
}

/// Asks the endpoint of a subscription, whatever its state.
pub(super) async fn ask(api: &Api, subscription: &Subscription, handshake: &Handshake) -> Result<Report, Error> {
    let event = match handshake.kind {
        HandshakeKind::TestEvent => Some(test::event(api, subscription).await?),
        HandshakeKind::EmptyPost | HandshakeKind::Head | HandshakeKind::CloudEvents => None,
    };
    let report = handshake::handshake(&api.host, subscription, handshake, event).await;
    report.map(Report).map_err(|err| Error::internal(&*err.into_boxed_dyn_error()))
}

/// The subscription as it is now, if it is as it was when its endpoint was asked. The caller holds `changing`.
pub(super) async fn check_unchanged(host: &Host, asked: &Subscription) -> Result<Subscription, Error> {
    let (now, _) = find(host, &asked.space, asked.id).await?;
    if (now.state, now.updated_at, &now.plugin) == (asked.state, asked.updated_at, &asked.plugin) {
        return Ok(now);
    }
    let detail = "the subscription was changed while its endpoint was asked: ask for this again";
    Err(Error::new(Code::SubscriptionState, detail))
}
