//! Enumerations of the model as the API description shows them.
//!
//! The model serializes them itself and does not depend on utoipa. The compiler checks that each lists every variant of
//! its counterpart; the API tests check the names.

use hookmill_model::{PauseReason, PluginFaultCode, ReplayState, ReplayWhat, SendFaultCode};
use utoipa::ToSchema;

use hookmill_server::described;
use hookmill_server::dry_run::diagnose::Check;
pub(crate) use hookmill_server::subscriptions::described::{ContentTypeName, MethodName};

described! {
    /// Reason for a pause: `requested` by a caller; `gone`, the receiver responded with 410; `failures`, too many
    /// deliveries in a row failed; `plugin_failures`, the plugin failed too often in a row; `condition`, the condition
    /// needed more work or memory than it may use, or was invalid, too often in a row.
    #[schema(as = PauseReason, rename_all = "snake_case")]
    pub(crate) PauseReasonName: PauseReason { Requested, Gone, Failures, PluginFailures, Condition, }
}

described! {
    /// What a replay sends: events of the space, each as a new delivery, or failed deliveries of the subscription, each again.
    #[schema(as = ReplayWhat, rename_all = "snake_case")]
    pub(crate) ReplayWhatName: ReplayWhat { Events, Failed, }
}

described! {
    /// State of a replay: `running`, also while it waits; `done`, it has examined everything; `cancelled` by a caller; or
    /// `failed`, it cannot go on.
    #[schema(as = ReplayState, rename_all = "snake_case")]
    pub(crate) ReplayStateName: ReplayState { Running, Done, Cancelled, Failed, }
}

described! {
    /// Kind of a plugin's fault.
    #[schema(as = PluginFaultCode, rename_all = "snake_case")]
    pub(crate) PluginFaultCodeName: PluginFaultCode {
        OutOfFuel,
        TimedOut,
        OutOfMemory,
        StackOverflow,
        Trapped,
        OutputTooLarge,
        InvalidOutput,
        ForbiddenHeader,
        Failed,
    }
}

described! {
    /// Kind of an attempt's fault: the plugin's, or the reason why there was no response.
    #[schema(as = FaultCode, rename_all = "snake_case")]
    pub(crate) FaultCodeName:
    PluginFaultCode {
        OutOfFuel,
        TimedOut,
        OutOfMemory,
        StackOverflow,
        Trapped,
        OutputTooLarge,
        InvalidOutput,
        ForbiddenHeader,
        Failed,
    }
    SendFaultCode { AddressRefused, Dns, Connect, Tls, Timeout, Protocol, AnswerBroken, }
}

described! {
    /// A check of `diagnose`.
    #[schema(as = FindingCheck, rename_all = "snake_case")]
    pub(crate) CheckName: Check {
        State,
        UrlScheme,
        UrlSpelling,
        Dns,
        AddressPolicy,
        Tls,
        Endpoint,
        Events,
        Identical,
        Plugin,
        Deliveries,
    }
}
