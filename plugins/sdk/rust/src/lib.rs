//! What a Hookmill plugin in Rust needs beside its own code.
//!
//! A plugin implements [`Plugin`] and names itself to [`export!`]. This crate reads its configuration, sends a panic's
//! text and place to the delivery's log, and has the few things that most plugins want: [`json`] that stays as it was
//! written, and [`form`] fields made of it. [`testing`] runs a plugin as native code, in its own unit tests.

#[cfg(target_family = "wasm")]
mod arena;
pub mod form;
pub mod json;
pub mod number;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

/// The bindings of the contract, as wit-bindgen makes them.
#[allow(missing_docs, reason = "made from the WIT, which documents what is to be said")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        export_macro_name: "export_bindings",
        pub_export_macro: true,
        default_bindings_module: "hookmill_plugin::bindings",
    });
}

pub use bindings::exports::hookmill::plugin::transformer::{Delivery, Description, Failure, Outcome};
pub use bindings::hookmill::plugin::log::Level;
pub use bindings::hookmill::plugin::types::{Binary, Body, Event, Request, Subscription};

/// A plugin.
pub trait Plugin {
    /// Its configuration: what the schema in its description describes, refused with serde's words if it is not.
    type Config: serde::de::DeserializeOwned;

    /// Says what it is.
    fn describe() -> Description;

    /// Makes the request of one attempt.
    ///
    /// # Errors
    /// Why no request can be made, in words for the subscription's owner.
    fn transform(delivery: Delivery, config: Self::Config) -> Result<Outcome, Failure>;
}

/// Exports a [`Plugin`] as the component's one.
///
/// Outside WebAssembly it does nothing, so that a plugin's tests run as native code.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        type Exported = $crate::Exported<$plugin>;
        #[cfg(target_family = "wasm")]
        $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
    };
}

/// The exported functions of a [`Plugin`]; [`export!`] uses it.
pub struct Exported<P>(std::marker::PhantomData<P>);

impl<P: Plugin> bindings::exports::hookmill::plugin::transformer::Guest for Exported<P> {
    fn describe() -> Description {
        P::describe()
    }

    fn transform(delivery: Delivery) -> Result<Outcome, Failure> {
        // A panic ends as a trap without its text; the log keeps it.
        std::panic::set_hook(Box::new(|info| log(Level::Error, &info.to_string())));
        let config = config(&delivery.subscription.config)?;
        P::transform(delivery, config)
    }
}

/// Keeps a line with the attempt, where the subscription's owner reads it.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    bindings::hookmill::plugin::log::write(level, message);
    #[cfg(not(target_family = "wasm"))]
    testing::log(level, message);
}

/// Reads a configuration.
///
/// # Errors
/// If it is not of this shape: then no later attempt can do better.
pub fn config<C: serde::de::DeserializeOwned>(text: &str) -> Result<C, Failure> {
    serde_json::from_str(text).map_err(|e| refuse(format!("the configuration is wrong: {e}")))
}

/// The placeholder of the subscription's secret with this name, to be put as it is into a header's value or the body.
///
/// The host puts the secret in its place once the plugin has ended: no plugin sees it. `signing` names the subscription's
/// newest signing secret.
///
/// # Errors
/// If the subscription has no such secret; says what to do.
pub fn secret(name: &str) -> Result<String, Failure> {
    #[cfg(target_family = "wasm")]
    let placeholder = bindings::hookmill::plugin::secrets::placeholder(name);
    #[cfg(not(target_family = "wasm"))]
    let placeholder: Result<_, String> = Ok(format!("{{{{secret:{name}}}}}"));
    placeholder.map_err(refuse)
}

/// A failure that no later attempt can mend.
pub fn refuse(reason: impl Into<String>) -> Failure {
    Failure { reason: reason.into(), retry: false }
}

/// A request with this body and nothing else of its own.
pub fn deliver(body: Body) -> Outcome {
    Outcome::Deliver(Request { method: None, query: vec![], headers: vec![], body, extra: vec![] })
}

/// The same, if its receiver takes a body of that size once it is encoded.
///
/// # Errors
/// If it does not.
pub fn deliver_within(body: Body, bytes_max: usize, receiver: &str) -> Result<Outcome, Failure> {
    let bytes = match &body {
        Body::Json(text) | Body::Text(text) => text.len(),
        Body::Form(fields) => form::encoded_len(fields),
        Body::Binary(binary) => binary.bytes.len(),
    };
    if bytes <= bytes_max {
        return Ok(deliver(body));
    }
    Err(refuse(format!("the body has {bytes} bytes and {receiver} takes {bytes_max}: leave fields out")))
}
