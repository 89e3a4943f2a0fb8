//! What plugin authors use: the SDKs, `hookmill plugin`, the committed components.

mod components;
mod journey;
mod sdk_c;
mod sdk_python;
