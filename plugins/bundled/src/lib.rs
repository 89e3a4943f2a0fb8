//! The plugins that every Hookmill brings along, compiled by this crate's build script; but for `javascript`, whose
//! component is committed, so that nobody needs npm.

/// A bundled plugin.
#[derive(Clone, Copy)]
pub struct Bundled {
    /// Its name, which is also the name in its description and of its folder in `plugins/`.
    pub name: &'static str,
    /// The component's bytes.
    pub component: &'static [u8],
}

/// All of them.
pub const PLUGINS: &[Bundled] = &[
    Bundled { name: "zapier", component: include_bytes!(env!("HOOKMILL_ZAPIER_WASM")) },
    Bundled { name: "make", component: include_bytes!(env!("HOOKMILL_MAKE_WASM")) },
    Bundled { name: "n8n", component: include_bytes!(env!("HOOKMILL_N8N_WASM")) },
    Bundled { name: "cloudevents", component: include_bytes!(env!("HOOKMILL_CLOUDEVENTS_WASM")) },
    Bundled { name: "slack", component: include_bytes!(env!("HOOKMILL_SLACK_WASM")) },
    Bundled { name: "template", component: include_bytes!(env!("HOOKMILL_TEMPLATE_WASM")) },
    Bundled { name: "jq", component: include_bytes!(env!("HOOKMILL_JQ_WASM")) },
    Bundled { name: "javascript", component: include_bytes!("../../javascript/javascript.wasm") },
    Bundled { name: "livespace", component: include_bytes!(env!("HOOKMILL_LIVESPACE_WASM")) },
    Bundled { name: "breakcold", component: include_bytes!(env!("HOOKMILL_BREAKCOLD_WASM")) },
    Bundled { name: "leadsquared", component: include_bytes!(env!("HOOKMILL_LEADSQUARED_WASM")) },
];
