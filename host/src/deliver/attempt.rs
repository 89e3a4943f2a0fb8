use crate::Host;
use crate::model::Delivery;
pub(super) async fn attempt(_host: &Host, _delivery: Delivery) {}
