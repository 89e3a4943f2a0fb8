//! Enumerations of the model as the API description shows them.
//!
//! The model serializes them itself and does not depend on utoipa. The compiler checks that each lists every variant of
//! its counterpart; the API tests check the names.

use hookmill_model::{
    ContentType, HmacAlgorithm, Method, PauseReason, PluginFaultCode, SendFaultCode, SignatureEncoding,
    StandardAlgorithm,
};
use utoipa::ToSchema;

use crate::dry_run::diagnose::Check;

/// Declares an enumeration of the description that has the variants of one or several enumerations of the host.
macro_rules! described {
    ($(#[$meta:meta])* $name:ident: $($model:ident { $($(#[$variant_meta:meta])* $variant:ident,)* })+) => {
        #[derive(ToSchema)]
        $(#[$meta])*
        #[expect(dead_code, reason = "used in the API description alone")]
        pub(crate) enum $name {
            $($(
                $(#[$variant_meta])*
                $variant,
            )*)+
        }

        $(const _: fn($model) = |value| match value {
            $($model::$variant => (),)*
        };)+
    };
}

described! {
    /// HTTP method of a request. A GET has no body: its fields go into the query.
    #[schema(as = Method, rename_all = "UPPERCASE")]
    MethodName: Method { Post, Put, Patch, Get, }
}

described! {
    /// Content type of a request's body.
    #[schema(as = ContentType)]
    ContentTypeName: ContentType {
        #[schema(rename = "application/json")]
        Json,
        #[schema(rename = "application/x-www-form-urlencoded")]
        Form,
        #[schema(rename = "text/plain")]
        Text,
    }
}

described! {
    /// Reason for a pause: `requested` by a caller; `gone`, the receiver responded with 410; `failures`, too many
    /// deliveries in a row failed; `plugin_failures`, the plugin failed too often in a row.
    #[schema(as = PauseReason, rename_all = "snake_case")]
    PauseReasonName: PauseReason { Requested, Gone, Failures, PluginFailures, }
}

described! {
    /// Signature of Standard Webhooks: `hmac-sha256` (`v1`, a shared secret) or `ed25519` (`v1a`, a key pair).
    #[schema(as = StandardAlgorithm)]
    StandardAlgorithmName: StandardAlgorithm {
        #[schema(rename = "hmac-sha256")]
        HmacSha256,
        #[schema(rename = "ed25519")]
        Ed25519,
    }
}

described! {
    /// Hash of an HMAC.
    #[schema(as = HmacAlgorithm, rename_all = "snake_case")]
    HmacAlgorithmName: HmacAlgorithm { Sha1, Sha256, Sha512, }
}

described! {
    /// Encoding of a signature: lower-case hexadecimal, or base64 with padding.
    #[schema(as = SignatureEncoding, rename_all = "snake_case")]
    SignatureEncodingName: SignatureEncoding { Hex, Base64, }
}

described! {
    /// Kind of a plugin's fault.
    #[schema(as = PluginFaultCode, rename_all = "snake_case")]
    PluginFaultCodeName: PluginFaultCode {
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
    FaultCodeName:
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
    CheckName: Check {
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
