//! Mail addresses: bare ASCII addresses only.

use hookmill_model::MailAddress;

#[test]
fn bare_ascii_addresses_are_accepted() {
    for text in ["ada@acme.example", "ops+hooks@sub.acme.example", "ada@localhost", "ada@[192.0.2.1]"] {
        assert_eq!(MailAddress::parse(text).map(|address| address.as_str().to_owned()), Ok(text.to_owned()));
    }
}

#[test]
fn everything_else_is_refused() {
    for text in [
        "",
        "ada",
        "ada@",
        "@acme.example",
        "Ada <ada@acme.example>",
        "<ada@acme.example>",
        "ada@acme.example, bob@acme.example",
        "ada@acme.example\r\nBcc: eve@evil.example",
        "ada@żółw.example",
        "żółw@acme.example",
        "ada@[192.0.2.1",
    ] {
        assert!(MailAddress::parse(text).is_err(), "{text:?}");
    }
}
