//! Version 1 of the contract, of which 1.1.0 is the latest.

use hookmill_model::{Body, LogLevel, PluginFault, PluginFaultCode};
use wasmtime::component::{Component, ComponentExportIndex, Instance, Linker, TypedFunc};
use wasmtime::{Result, Store};

use self::generated::hookmill::plugin::log::Level;
use self::generated::hookmill::plugin::types;
use crate::config::Limits;
use crate::limits::host_function;
use crate::output::{self, REASON_BYTES_MAX};
use crate::state::State;
use crate::{PluginCall, PluginDecision, cut};

#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated code")]
mod generated {
    // Parameters borrow: an event's data is copied directly from the host's memory into the guest's.
    wasmtime::component::bindgen!({
        path: "../../wit/1.1.0",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(crate) use types::Description;

/// The name under which a component exports the contract. wasmtime matches every version 1 with it, and links an import
/// of any to what [`link`] defines; `scan` has refused versions that are later than this host's.
const TRANSFORMER: &str = "hookmill:plugin/transformer@1.1.0";

type Describe = TypedFunc<(), (Description,)>;
type Transform<'a> = TypedFunc<(types::Delivery<'a>,), (Result<types::Outcome, types::Failure>,)>;

/// The indexes of the contract's functions in a component's exports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exports {
    describe: ComponentExportIndex,
    transform: ComponentExportIndex,
}

impl Exports {
    /// Finds the functions; none if the component lacks one.
    pub(crate) fn find(component: &Component) -> Option<Self> {
        let interface = component.get_export_index(None, TRANSFORMER)?;
        let function = |name| component.get_export_index(Some(&interface), name);
        Some(Self { describe: function("describe")?, transform: function("transform")? })
    }

    /// Checks that their types are the contract's.
    pub(crate) fn check(&self, store: &mut Store<State>, instance: Instance) -> Result<()> {
        let _: Describe = instance.get_typed_func(&mut *store, self.describe)?;
        let _: Transform<'_> = instance.get_typed_func(&mut *store, self.transform)?;
        Ok(())
    }

    /// Calls `describe`.
    pub(crate) async fn describe(&self, store: &mut Store<State>, instance: Instance) -> Result<Description> {
        let describe: Describe = instance.get_typed_func(&mut *store, self.describe)?;
        Ok(describe.call_async(store, ()).await?.0)
    }

    /// Calls `transform`.
    pub(crate) async fn transform(
        &self,
        store: &mut Store<State>,
        instance: Instance,
        input: &PluginCall<'_>,
    ) -> Result<Given> {
        let id = input.delivery_id.to_string();
        let subscription_id = input.subscription.id.to_string();
        let times: Vec<_> = input.events.iter().map(|(event, _)| event.occurred_at.to_string()).collect();
        let events: Vec<_> = input.events.iter().zip(&times).map(|(event, time)| as_event(event, time)).collect();
        let delivery = types::Delivery {
            id: &id,
            attempt: input.attempt,
            space: input.subscription.space.as_str(),
            subscription: types::Subscription {
                id: &subscription_id,
                name: &input.subscription.name,
                content_type: input.subscription.content_type.as_str(),
                config: input.config,
            },
            events: &events,
            extra: &[],
        };
        let transform: Transform<'_> = instance.get_typed_func(&mut *store, self.transform)?;
        Ok(Given(transform.call_async(store, (delivery,)).await?.0))
    }
}

fn as_event<'a>((event, data): &(&'a hookmill_model::Event, &'a str), occurred_at: &'a str) -> types::Event<'a> {
    types::Event { id: event.id.as_str(), kind: event.kind.as_str(), occurred_at, data }
}

/// A plugin's unchecked result.
pub(crate) struct Given(Result<types::Outcome, types::Failure>);

impl Given {
    /// Checks the result against the contract.
    pub(crate) fn check(self, limits: &Limits) -> Result<PluginDecision, PluginFault> {
        match self.0 {
            Ok(types::Outcome::Deliver(request)) => {
                let types::Request { method, query, headers, body, extra: _ } = request;
                output::draft(limits, method, query, headers, as_body(body)).map(PluginDecision::Deliver)
            }
            Ok(types::Outcome::Skip(reason)) => Ok(PluginDecision::Skip(cut(reason, REASON_BYTES_MAX))),
            Err(types::Failure { reason, retry }) => {
                Err(PluginFault { code: PluginFaultCode::Failed, message: cut(reason, REASON_BYTES_MAX), retry })
            }
        }
    }
}

fn as_body(body: types::Body) -> Body {
    match body {
        types::Body::Json(text) => Body::Json(text),
        types::Body::Form(fields) => Body::Form(fields),
        types::Body::Text(text) => Body::Text(text),
        types::Body::Binary(types::Binary { content_type, bytes }) => Body::Binary { content_type, bytes },
    }
}

/// Defines the functions of this version that a plugin may import.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut log = linker.instance("hookmill:plugin/log@1.1.0")?;
    host_function(&mut log, "write", |state, (level, message): (Level, String)| {
        state.moved += message.len();
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        state.logs.write(level, message);
        Ok(())
    })?;
    let mut secrets = linker.instance("hookmill:plugin/secrets@1.1.0")?;
    host_function(&mut secrets, "placeholder", |state, (name,): (String,)| {
        let answer = state.secrets.placeholder(&name);
        let (Ok(text) | Err(text)) = &answer;
        state.moved += name.len() + text.len();
        Ok((answer,))
    })
}
