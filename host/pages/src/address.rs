//! Addresses: parts of paths and queries, of the pages' own and of the API's.

use url::form_urlencoded;

/// Returns a text as a segment of a path, or as a value of a query.
pub(crate) fn segment(text: &str) -> String {
    // In a path, a plus is no blank.
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Returns a query with those of these parameters that have a value.
pub(crate) fn query<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let given = parameters.into_iter().filter(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
}

/// Returns a parameter of an address, or "".
pub(crate) fn parameter(address: &str, name: &str) -> String {
    let found = parameters(address).find(|(other, _)| other == name);
    found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// Returns the parameters of an address.
pub(crate) fn parameters(address: &str) -> impl Iterator<Item = (String, String)> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// Returns an address with another value of a parameter, or without it if the value is empty.
pub(crate) fn replaced(address: &str, name: &str, value: &str) -> String {
    let path = address.split('?').next().unwrap_or_default();
    let others: Vec<_> = parameters(address).filter(|(other, _)| other != name).collect();
    let all = others.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([(name, value)]);
    let query = query(all);
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_replaced_and_the_others_stay() {
        let address = "/s/acme/history?state=failed&reason=a+b&cursor=x";
        assert_eq!(replaced(address, "cursor", ""), "/s/acme/history?state=failed&reason=a+b");
        assert_eq!(replaced(address, "state", "held"), "/s/acme/history?reason=a+b&cursor=x&state=held");
        assert_eq!(parameter(address, "reason"), "a b");
    }

    #[test]
    fn any_text_is_one_segment() {
        assert_eq!(segment("a/b c?"), "a%2Fb%20c%3F");
    }
}
