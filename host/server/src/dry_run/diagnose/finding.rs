//! What a check finds.

/// What is looked at, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether the subscription wants events at all.
    State,
    /// Whether the URL is https.
    UrlScheme,
    /// Whether the URL is what a receiver gives out.
    UrlSpelling,
    /// Whether the host's name resolves.
    Dns,
    /// Whether this host may send to what it resolves to.
    AddressPolicy,
    /// Whether a TLS connection comes about.
    Tls,
    /// What the endpoint answers, and how fast.
    Endpoint,
    /// Which of the last events matched, and why the others did not.
    Events,
    /// Whether another subscription does the same.
    Identical,
    /// What the plugin makes of an event.
    Plugin,
    /// What became of the last deliveries.
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

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// All is well.
    Ok,
    /// It may be what somebody wants, and may be the trouble.
    Warning,
    /// Something does not work.
    Problem,
    /// There was nothing to look at.
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

/// What a check found, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// How it went.
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
