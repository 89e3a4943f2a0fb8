//! Connections of callers: how many there are, and how long one may do nothing.
//!
//! A caller needs no key to connect. So connections are bounded, and one on which nothing is asked is closed: whether
//! nothing comes at all, half a request, pings of HTTP/2 alone, or a response is not read. How long a request takes that is
//! being handled is the handler's own matter; reading its body has a limit of its own. If all connections are taken, those
//! on which nothing is asked are closed at once, so that whoever holds them does not lock out others.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use hookmill_server::config::AcceptConfig;

/// The idle time while all connections are taken: a request follows its connection within less.
const IDLE_IF_FULL: Duration = Duration::from_secs(1);

/// The time that a connection has to end by itself once it is to be closed.
const CLOSING: Duration = Duration::from_secs(5);

/// The shortest time between two lines of the log that say that all connections are taken.
const WARNED_EVERY: Duration = Duration::from_secs(60);

/// What a connection is asked.
#[derive(Debug)]
struct Activity {
    /// Requests that are being handled.
    handled: usize,
    /// When it was opened, or the last of them ended.
    since: Instant,
}

/// A request that is being handled.
struct Handled(Arc<Mutex<Activity>>);

impl Handled {
    fn begin(activity: &Arc<Mutex<Activity>>) -> Self {
        activity.lock().unwrap_or_else(PoisonError::into_inner).handled += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        let mut activity = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        activity.handled -= 1;
        activity.since = Instant::now();
    }
}

/// Serves `router` until `shutdown`; then ends each connection after its requests.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    config: &AcceptConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let turns = Arc::new(Semaphore::new(config.connections_max));
    let (full, is_full) = watch::channel(false);
    let idle = Duration::from_secs(config.idle_connection_s);
    let router = router.with_state(());
    let connections = TaskTracker::new();
    let accepting = async {
        let mut warned = None;
        loop {
            let turn = turn(&turns, &full, &mut warned).await;
            // Waits a second if there is no descriptor.
            let (stream, _) = Listener::accept(&mut listener).await;
            let connection = Connection { stream, turn, idle, is_full: is_full.clone(), shutdown: shutdown.clone() };
            connections.spawn(connection.serve(router.clone()));
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown.cancelled() => {}
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

/// Waits for a place for one more connection.
async fn turn(
    turns: &Arc<Semaphore>,
    full: &watch::Sender<bool>,
    warned: &mut Option<Instant>,
) -> OwnedSemaphorePermit {
    if let Ok(turn) = Arc::clone(turns).try_acquire_owned() {
        return turn;
    }
    if warned.is_none_or(|at| at.elapsed() > WARNED_EVERY) {
        tracing::warn!("all connections are taken (`accept.connections_max`): idle ones are closed");
        *warned = Some(Instant::now());
    }
    full.send_replace(true);
    let turn = Arc::clone(turns).acquire_owned().await.expect("it is never closed");
    full.send_replace(false);
    turn
}

struct Connection {
    stream: TcpStream,
    turn: OwnedSemaphorePermit,
    idle: Duration,
    is_full: watch::Receiver<bool>,
    shutdown: CancellationToken,
}

impl Connection {
    async fn serve(self, router: Router) {
        let Self { stream, turn: _turn, idle, is_full, shutdown } = self;
        let activity = Arc::new(Mutex::new(Activity { handled: 0, since: Instant::now() }));
        let service = TowerToHyperService::new(router);
        let counted = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let handled = Handled::begin(&counted);
            let response = hyper::service::Service::call(&service, request.map(Body::new));
            async move {
                let response = response.await;
                drop(handled);
                response
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // The caller may hang up at any time.
            _ = connection.as_mut() => return,
            () = shutdown.cancelled() => {}
            () = idle_for(&activity, idle, is_full) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            // A shutdown waits for what is being handled, as long as it waits at all.
            () = async { if shutdown.is_cancelled() { pending().await } else { sleep(CLOSING).await } } => {}
        }
    }
}

/// Returns once nothing was asked for as long as a connection may do nothing.
async fn idle_for(activity: &Mutex<Activity>, idle: Duration, mut is_full: watch::Receiver<bool>) {
    loop {
        let limit = if *is_full.borrow_and_update() { IDLE_IF_FULL.min(idle) } else { idle };
        let until = {
            let activity = activity.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if activity.handled > 0 { now + limit } else { activity.since + limit }
        };
        if until <= Instant::now() {
            return;
        }
        tokio::select! {
            () = sleep_until(until) => {}
            Ok(()) = is_full.changed() => {}
        }
    }
}
