//! Sealed secrets: a plugin gets placeholders, and nothing else.

use hookmill_engine::{PluginDecision, PluginRun};
use hookmill_model::{LogLine, Sealed};

use crate::engine::fixture::{tell, tell_with_secrets};

/// The rogue's header.
fn header(transformed: &PluginRun) -> &str {
    let Ok(PluginDecision::Deliver(draft)) = &transformed.result else { panic!("{:?}", transformed.result) };
    &draft.headers[0].1
}

fn messages(logs: &[LogLine]) -> Vec<&str> {
    logs.iter().map(|line| line.message.as_str()).collect()
}

#[tokio::test]
async fn a_plugin_gets_a_placeholder_and_has_nothing_else_to_log() {
    let transformed = tell_with_secrets("secret:api-key", &["signing", "api-key"]).await;
    let placeholder = header(&transformed);
    assert_eq!(transformed.sealed, [Sealed { placeholder: placeholder.to_owned(), name: "api-key".to_owned() }]);
    let digits = placeholder.strip_prefix("hmsec_").expect("it starts so");
    assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{placeholder}");
    assert_eq!(messages(&transformed.logs), ["told to secret", placeholder, placeholder]);
}

#[tokio::test]
async fn a_secret_has_one_placeholder_in_a_transform_and_another_in_the_next() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let transformed = tell_with_secrets("secrets:a,b,a", &["a", "b"]).await;
        let names: Vec<_> = transformed.sealed.iter().map(|sealed| sealed.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let logged = messages(&transformed.logs);
        let [a, b] = [&transformed.sealed[0].placeholder, &transformed.sealed[1].placeholder];
        assert_eq!(logged[1..], [a, a, b, b, a, a]);
        seen.extend(transformed.sealed.into_iter().map(|sealed| sealed.placeholder));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_an_error_that_says_what_to_do() {
    let has_none = tell("secret:api-key").await;
    assert_eq!(
        header(&has_none),
        "refused: the subscription has no secret `api-key`: add it to its `sealed_secrets`; now it has none"
    );
    let unsigned = tell_with_secrets("secret:signing", &["api-key"]).await;
    assert_eq!(header(&unsigned), "refused: the subscription has no signing secret: give it one as its `secret`");
    let has_others = tell_with_secrets("secret:Signing", &["signing", "api-key"]).await;
    assert_eq!(
        header(&has_others),
        "refused: the subscription has no secret `Signing`: add it to its `sealed_secrets`; now it has `signing`, `api-key`"
    );
    assert_eq!((has_none.sealed, unsigned.sealed, has_others.sealed), (vec![], vec![], vec![]));
    let long = tell_with_secrets(&format!("secret:{}", "x".repeat(100_000)), &[]).await;
    let told = &long.logs[1].message;
    assert!(told.len() < 200 && told.contains("xxx…`: add it"), "{told}");
}

#[tokio::test]
async fn a_transform_gets_twenty_placeholders_at_most() {
    let names: Vec<_> = (0..21).map(|n| format!("s{n}")).collect();
    let secrets: Vec<_> = names.iter().map(String::as_str).collect();
    let transformed = tell_with_secrets(&format!("secrets:{},s0", names.join(",")), &secrets).await;
    assert_eq!(transformed.sealed.len(), 20);
    let logged = messages(&transformed.logs);
    assert_eq!(logged[41], "refused: a transform may ask for 20 secrets: ask for fewer");
    assert_eq!(logged[43], transformed.sealed[0].placeholder, "one that it has is given again");
}

#[tokio::test]
async fn asking_costs_fuel_by_the_call_and_the_byte() {
    let fuel = async |word| tell_with_secrets(word, &["signing"]).await.figures.fuel_used;
    let hundred = fuel("ask:101").await - fuel("ask:1").await;
    let charged = 100 * (1_000 + 4 * ("signing".len() + "hmsec_".len() + 32) as u64);
    assert!((charged..charged * 2).contains(&hundred), "{hundred} for a hundred calls, of which {charged} charged");
}
