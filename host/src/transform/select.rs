use crate::model::{FieldSelection, Invalid};
#[derive(Debug)]
pub struct Selector;
impl Selector {
    pub fn compile(_: &FieldSelection) -> Result<Self, Invalid> {
        Ok(Self)
    }
    pub fn nothing() -> Self {
        Self
    }
}
