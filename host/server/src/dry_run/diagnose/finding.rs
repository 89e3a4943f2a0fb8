//! The findings of checks.

/// The checks, in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The subscription's state.
    State,
    /// The URL's scheme.
    UrlScheme,
    /// The URL's spelling.
    UrlSpelling,
    /// The resolution of the host name.
    Dns,
    /// Whether the address policy allows the resolved addresses.
    AddressPolicy,
    /// The TLS handshake.
    Tls,
    /// The endpoint's response, and its speed.
    Endpoint,
    /// Which of the last events matched, and why the others did not.
    Events,
    /// Other subscriptions that send the same events to the same URL.
    Identical,
    /// The plugin's output for an event.
    Plugin,
    /// How the last deliveries ended.
    Deliveries,
}

impl Check {
    /// The check's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::UrlScheme => "url_scheme",
            Self::UrlSpelling => "url_spelling",
            Self::Dns => "dns",
            Self::AddressPolicy => "address_policy",
            Self::Tls => "tls",
            Self::Endpoint => "endpoint",
            Self::Events => "events",
            Self::Identical => "identical",
            Self::Plugin => "plugin",
            Self::Deliveries => "deliveries",
        }
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// No fault was found.
    Ok,
    /// A possible cause of trouble, which may be intended.
    Warning,
    /// A fault.
    Problem,
    /// There was nothing to check.
    Skipped,
}

impl Grade {
    /// The grade's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// A finding, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The result.
    pub grade: Grade,
    /// What was found.
    pub finding: String,
    /// What to do about it, if anything.
    pub what_to_do: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: Check, finding: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, finding: finding.into(), what_to_do: None }
    }

    pub(super) fn skipped(check: Check, finding: impl Into<String>) -> Self {
        Self { check, grade: Grade::Skipped, finding: finding.into(), what_to_do: None }
    }

    pub(super) fn warning(check: Check, finding: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self { check, grade: Grade::Warning, finding: finding.into(), what_to_do: Some(what_to_do.into()) }
    }

    pub(super) fn problem(check: Check, finding: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self { check, grade: Grade::Problem, finding: finding.into(), what_to_do: Some(what_to_do.into()) }
    }
}
