//! What is pushed is pulled, and only that.

use std::fs;

use hookmill_model::Digest;
use hookmill_server::plugins::oci::{Credentials, OciError, Reference, Registries, pull};

use super::registry::Registry;
use super::{ECHO, pull_from, push_echo, reference, refusal, registries};

#[tokio::test]
async fn a_push_and_a_pull_keep_both_digests() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/plugins/by-hand", registry.address);
    let pushed = push_echo(&format!("{at}:1.0.0"), None).await.unwrap();
    assert_eq!(pushed.component, Digest::of(&ECHO));
    assert_eq!(pushed.reference.to_string(), format!("{at}:1.0.0@{}", pushed.manifest));

    let by_digest = format!("{at}@{}", pushed.manifest);
    for asked in [format!("{at}:1.0.0"), by_digest.clone(), pushed.reference.to_string()] {
        let pulled = pull_from(&asked).await.unwrap();
        assert_eq!((pulled.manifest, pulled.digest), (pushed.manifest, pushed.component));
        assert_eq!((pulled.component, pulled.signature), (ECHO, None));
        assert_eq!(pulled.reference.to_string(), by_digest);
    }
}

#[tokio::test]
async fn the_same_plugin_has_the_same_digest_wherever_and_whenever_it_is_pushed() {
    let (Some(one), Some(other)) = (Registry::start(), Registry::start()) else { return };
    let first = push_echo(&format!("{}/a:1.0.0", one.address), None).await.unwrap();
    let again = push_echo(&format!("{}/a:1.0.0", one.address), None).await.unwrap();
    let elsewhere = push_echo(&format!("{}/b/c:latest", other.address), None).await.unwrap();
    assert_eq!(first.manifest, again.manifest);
    assert_eq!(first.manifest, elsewhere.manifest);
    // It is the component's signature, so the component stays the same; the manifest carries it.
    let signed = push_echo(&format!("{}/a:signed", one.address), Some("c2lnbmVk")).await.unwrap();
    assert_eq!(signed.component, first.component);
    assert_ne!(signed.manifest, first.manifest);
    let pulled = pull_from(&format!("{}/a:signed", one.address)).await.unwrap();
    assert_eq!(pulled.signature.as_deref(), Some("c2lnbmVk"));
}

#[tokio::test]
async fn a_blob_that_was_tampered_with_is_refused() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/by-hand", registry.address);
    let pushed = push_echo(&format!("{at}:1.0.0"), None).await.unwrap();
    let (tag, digest) = (format!("{at}:1.0.0"), format!("{at}@{}", pushed.manifest));
    let damage = |bytes: Vec<u8>| fs::write(registry.file(pushed.component), bytes).unwrap();

    let mut altered = ECHO.to_vec();
    altered[2_000] ^= 1;
    let longer = [&ECHO[..], b"\0\x02\x01x"].concat();
    for (bytes, why) in [
        (altered, format!("got {}", "sha256:")),
        (ECHO[..2_000].to_vec(), format!("the manifest states {} bytes, and the registry 2000", ECHO.len())),
        (longer, format!("the manifest states {} bytes, and the registry {}", ECHO.len(), ECHO.len() + 4)),
    ] {
        damage(bytes);
        for asked in [&tag, &digest] {
            let told = refusal(asked).await;
            assert!(told.contains("was tampered with or damaged: ") && told.contains(&why), "{told}");
        }
    }
    damage(ECHO.to_vec());
    assert_eq!(pull_from(&tag).await.unwrap().component, ECHO);

    // The manifest itself: by a tag the registry's word stands against its bytes, by a digest ours.
    let file = registry.file(pushed.manifest);
    let manifest = fs::read_to_string(&file).unwrap();
    fs::write(&file, manifest.replace("1970", "1971").replace("Made by hand.", "Made by hond.")).unwrap();
    for asked in [&tag, &digest] {
        let told = refusal(asked).await;
        assert!(told.contains("was tampered with or damaged: "), "{told}");
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_password_gets_the_one_of_dockers_file() {
    let Some(registry) = Registry::with_password() else { return };
    let at = format!("{}/by-hand:1.0.0", registry.address);
    let denied = push_echo(&at, None).await.unwrap_err();
    assert!(matches!(denied, OciError::Denied(_)), "{denied:?}");
    assert!(denied.to_string().ends_with("it requires credentials, or other ones"), "{denied}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    // `user:secret`, as `docker login` writes it.
    fs::write(&file, format!(r#"{{"auths":{{"{}":{{"auth":"dXNlcjpzZWNyZXQ="}}}}}}"#, registry.address)).unwrap();
    let with = |credentials| Registries { credentials, ..registries() };
    let name = "by-hand".parse().unwrap();
    let info = hookmill_server::plugins::oci::ArtifactInfo {
        name: &name,
        version: &"1.0.0".parse().unwrap(),
        summary: "",
        signature: None,
    };
    let user = with(Credentials::of_docker(&file, &registry.address));
    hookmill_server::plugins::oci::push(&user, &reference(&at), ECHO, &info).await.unwrap();
    assert_eq!(pull(&user, &reference(&at)).await.unwrap().component, ECHO);

    let wrong = pull(&with(Credentials::basic("user", "guess")), &reference(&at)).await.unwrap_err();
    assert!(matches!(wrong, OciError::Denied(_)), "{wrong:?}");
    assert!(!format!("{user:?}").contains("secret"), "{user:?}");
    // Of another registry, the file knows nothing.
    let other = pull(&with(Credentials::of_docker(&file, "ghcr.io")), &reference(&at)).await.unwrap_err();
    assert!(matches!(other, OciError::Denied(_)), "{other:?}");
}

#[test]
fn dockers_hub_has_a_name_of_its_own_in_dockers_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    fs::write(&file, r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjpzZWNyZXQ="}}}"#).unwrap();
    let hub: Reference = "docker.io/acme/zapier:1.4.0".parse().unwrap();
    let found = Credentials::of_docker(&file, hub.registry());
    assert_eq!(format!("{found:?}"), r#"Credentials(Some("user"))"#);
    let nothing = Credentials::of_docker(&file, "ghcr.io");
    assert_eq!(format!("{nothing:?}"), "Credentials(None)");
}

#[test]
fn a_reference_names_its_registry_and_a_tag_or_a_digest() {
    let digest = Digest::of(b"").to_string();
    for right in [
        "oci://ghcr.io/acme/plugins/zapier:1.4.0".to_owned(),
        "localhost:5000/zapier:latest".to_owned(),
        format!("ghcr.io/acme/zapier@{digest}"),
        format!("oci://127.0.0.1:5000/zapier:1.4.0@{digest}"),
    ] {
        let reference: Reference = right.parse().unwrap();
        assert_eq!(reference.to_string().trim_start_matches("oci://"), right.trim_start_matches("oci://"));
    }
    for wrong in [
        "",
        "zapier",
        "zapier:1.4.0",
        "acme/zapier:1.4.0",
        "ghcr.io/acme/zapier",
        "ghcr.io/Acme/zapier:1",
        "oci://",
        "https://ghcr.io/acme/zapier:1",
        "ghcr.io/acme/zapier@sha256:12",
        "ghcr.io/../zapier:1",
        "ghcr.io/a b:1",
        "ghcr.io/acme/zapier@md5:d41d8cd98f00b204e9800998ecf8427e",
        "user:password@ghcr.io/acme/zapier:1",
    ] {
        let error = wrong.parse::<Reference>().expect_err(wrong).to_string();
        assert!(error.contains("expected oci://registry/repository:tag or "), "{error}");
    }
}
