//! JSON numbers in receivers that parse them into 64-bit floats, as every JavaScript program does.

/// Returns whether a float holds the number's value and prints the same value, so that a receiver sees what was written
/// (12.50 prints as 12.5, which is the same number).
///
/// Integers beyond 2^53 do not survive, even those that a float can hold: a receiver cannot distinguish them from their
/// neighbors.
pub fn survives_float(number: &str) -> bool {
    // Any 15 significant digits survive, and a text this short has no more.
    if number.len() <= 15 && !number.contains(['e', 'E']) {
        return true;
    }
    let Ok(float) = number.parse::<f64>() else { return false };
    let integer = !number.contains(['.', 'e', 'E']);
    float.is_finite()
        && !(integer && float.abs() > 9_007_199_254_740_992.0)
        && decimal(number) == decimal(&format!("{float:e}"))
}

/// Returns the sign, the significant digits and the power of ten of the last digit: the same for every spelling of a
/// number. `None` if the exponent does not fit into an `i64`.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole.trim_start_matches('-'), fraction].concat();
    let digits = all.trim_end_matches('0');
    let exponent = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let last = exponent.checked_add(i64::try_from(all.len() - digits.len()).ok()?)?;
    let digits = digits.trim_start_matches('0');
    // Zero has a single form: its sign and exponent do not matter.
    Some(if digits.is_empty() { (false, String::new(), 0) } else { (number.starts_with('-'), digits.to_owned(), last) })
}

#[cfg(test)]
mod tests {
    use super::survives_float;

    #[test]
    fn numbers_that_a_float_holds_survive() {
        for number in
            ["0", "-0", "0.000", "12.50", "-1.5e3", "0.1", "9007199254740992", "1e22", "1E+5", "100e-2", "0e999"]
        {
            assert!(survives_float(number), "{number}");
        }
        assert!(survives_float("0.30000000000000004"));
        assert!(survives_float("1.7976931348623157e308"));
    }

    #[test]
    fn numbers_that_a_float_changes_do_not_survive() {
        for number in ["9007199254740993", "9007199254740994", "12345678901234567890", "1e400", "-1e400", "1e-400"] {
            assert!(!survives_float(number), "{number}");
        }
        assert!(!survives_float("3.14159265358979323846"));
        assert!(!survives_float("0.1000000000000000000001"));
        assert!(!survives_float("1e99999999999999999999"));
    }
}
