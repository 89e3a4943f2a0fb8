//! Placeholders of sealed secrets. The values are never in the engine, so no plugin can reach them.

use hookmill_model::Sealed;

/// Placeholders of one transform: far more than a request needs, and few enough for a linear search.
const PLACEHOLDERS_MAX: usize = 20;

/// The name of the subscription's newest signing secret.
const SIGNING: &str = "signing";

/// The secrets of one transform.
#[derive(Debug)]
pub(super) struct Secrets {
    names: Vec<String>,
    sealed: Vec<Sealed>,
}

impl Secrets {
    /// Creates the state of a transform that may request these secrets.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, sealed: Vec::new() }
    }

    /// Returns the placeholder of a secret, the same one every time. The error is for the subscription's owner.
    pub(super) fn placeholder(&mut self, name: &str) -> Result<String, String> {
        if let Some(sealed) = self.sealed.iter().find(|sealed| sealed.name == name) {
            return Ok(sealed.placeholder.clone());
        }
        if !self.names.iter().any(|known| known == name) {
            return Err(self.unknown(name));
        }
        if self.sealed.len() == PLACEHOLDERS_MAX {
            return Err(format!("a transform may ask for {PLACEHOLDERS_MAX} secrets: ask for fewer"));
        }
        let placeholder = placeholder();
        self.sealed.push(Sealed { placeholder: placeholder.clone(), name: name.to_owned() });
        Ok(placeholder)
    }

    fn unknown(&self, name: &str) -> String {
        if name == SIGNING {
            return "the subscription has no signing secret: give it one as its `secret`".to_owned();
        }
        let name = super::cut(name.escape_debug().to_string(), 64);
        let known: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("the subscription has no secret `{name}`: add it to its `sealed_secrets`; now it has {known}")
    }

    /// Returns the placeholders that were requested.
    pub(super) fn finish(self) -> Vec<Sealed> {
        self.sealed
    }
}

/// Creates a placeholder from the machine's randomness, not the delivery's: a producer of events could predict that and
/// have the secret inserted where the producer chooses.
fn placeholder() -> String {
    format!("hmsec_{:032x}", rand::random::<u128>())
}
