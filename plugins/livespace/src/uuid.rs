//! Converts a delivery's id to the format that Livespace's receivers expect.

/// The digits of a ULID: Crockford's base 32.
const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The number of digits in a ULID; the first is below 8, since there are 128 bits.
const ULID_LEN: usize = 26;

/// Returns the 128 bits of an id such as `dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E` as a UUID, which is the same on every
/// attempt.
pub(crate) fn of(id: &str) -> Option<String> {
    let (_, ulid) = id.rsplit_once('_')?;
    if ulid.len() != ULID_LEN || ulid > "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" {
        return None;
    }
    let mut bits = 0_u128;
    for digit in ulid.chars() {
        bits = bits << 5 | DIGITS.find(digit)? as u128;
    }
    let hex = format!("{bits:032x}");
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_ulid_and_its_uuid_have_the_same_bits() {
        let uuid = |ulid: &str| of(&format!("dlv_{ulid}"));
        assert_eq!(uuid("00000000000000000000000000").as_deref(), Some("00000000-0000-0000-0000-000000000000"));
        assert_eq!(uuid("00000000000000000000000010").as_deref(), Some("00000000-0000-0000-0000-000000000020"));
        assert_eq!(uuid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").as_deref(), Some("ffffffff-ffff-ffff-ffff-ffffffffffff"));
        // Computed independently: the base 32 digits as a number, in hexadecimal.
        assert_eq!(uuid("01K9ZQ4S1N8M0V6T3X5B7C2D4E").as_deref(), Some("019a7f72-6435-4501-b368-7d2acec1348e"));
    }

    #[test]
    fn an_id_without_a_ulid_has_no_uuid() {
        for id in [
            "",
            "dlv_",
            "dlv_01K9",
            "dlv_80000000000000000000000000",
            "dlv_0000000000000000000000000U",
            "01K9ZQ4S1N8M0V6T3X5B7C2D4E",
        ] {
            assert_eq!(of(id), None, "{id}");
        }
        assert_eq!(of("dlv_éééééééééééééé"), None);
    }
}
