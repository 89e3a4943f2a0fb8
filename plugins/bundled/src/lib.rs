//! The plugins that come with every Hookmill, as components.
//!
//! The components are committed, so a build needs neither a WebAssembly target nor npm. `cargo components` rebuilds
//! them from their sources; that of `javascript` is built by `plugins/javascript/build.sh`.

/// A bundled plugin.
#[derive(Clone, Copy, Debug)]
pub struct Bundled {
    /// The plugin's name, which is also the name of its folder in `plugins/`.
    pub name: &'static str,
    /// The component's size, in bytes.
    pub component_bytes: usize,
    packed: &'static [u8],
    /// What the component's `describe` returns, and its digest, as a JSON object with the members `name`, `version`,
    /// `digest`, `summary`, `content_types` and `config_schema`.
    pub description: &'static str,
}

impl Bundled {
    /// Unpacks the component.
    ///
    /// # Panics
    /// If the program's own data is corrupt.
    pub fn component(&self) -> Vec<u8> {
        miniz_oxide::inflate::decompress_to_vec(self.packed).expect("the build packed it")
    }
}

macro_rules! bundled {
    ($name:literal) => {
        bundled!($name, concat!("../components/", $name, ".wasm"))
    };
    ($name:literal, $component:expr) => {
        Bundled {
            name: $name,
            component_bytes: include_bytes!($component).len(),
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
            description: include_str!(concat!("../components/", $name, ".json")),
        }
    };
}

/// All bundled plugins. A static: of a constant, each crate that names it would carry the components again.
pub static PLUGINS: &[Bundled] = &[
    bundled!("zapier"),
    bundled!("make"),
    bundled!("n8n"),
    bundled!("cloudevents"),
    bundled!("slack"),
    bundled!("template"),
    bundled!("jq"),
    bundled!("javascript", "../../javascript/javascript.wasm"),
    bundled!("livespace"),
    bundled!("breakcold"),
    bundled!("leadsquared"),
];
