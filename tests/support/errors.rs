//! Internal errors that a host logs in a test: a test that does not expect one fails.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    /// What was logged as an error on this thread. A test's runtime runs on the test's thread, its blocking work excepted.
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Record;

impl<S: Subscriber> Layer<S> for Record {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut text = Text(String::new());
            event.record(&mut text);
            LOGGED.with_borrow_mut(|logged| logged.push(text.0));
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

/// Fails the test when dropped, if this thread logged an error that was not [taken](Self::take).
pub struct NoErrors(());

impl NoErrors {
    /// Records from now on.
    pub fn begin() -> Self {
        static RECORDING: Once = Once::new();
        RECORDING.call_once(|| {
            let recording = tracing_subscriber::registry().with(Record.with_filter(LevelFilter::ERROR));
            tracing::subscriber::set_global_default(recording).unwrap();
        });
        Self(())
    }

    /// Returns the errors that were logged, which the test expects.
    pub fn take(&self) -> Vec<String> {
        LOGGED.take()
    }
}

impl Drop for NoErrors {
    fn drop(&mut self) {
        let logged = LOGGED.take();
        assert!(std::thread::panicking() || logged.is_empty(), "logged errors: {logged:#?}");
    }
}
