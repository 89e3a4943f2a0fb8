//! Where address, key and space come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::start;
use crate::support::client::Shell;
use crate::support::host::TestHost;

/// Writes hosts.toml, readable by its owner only.
fn write_hosts(shell: &Shell, text: &str) {
    let folder = shell.config().join("hookmill");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("hosts.toml"), text).unwrap();
    fs::set_permissions(folder.join("hosts.toml"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn entry(name: &str, host: &TestHost) -> String {
    format!("[hosts.{name}]\nurl = {:?}\nkey = {:?}\nspace = \"acme\"\n", host.base, host.key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_host_comes_before_the_environment_and_a_flag_before_both() {
    let ((one, shell), other) = (start().await, TestHost::start().await);
    write_hosts(&shell, &format!("default = \"other\"\n{}{}", entry("one", &one), entry("other", &other)));
    // The environment's host, although the file has a default.
    shell.ok(&["events", "send", "from.environment", "--data", "1", "--id", "e-1"]).await;
    shell.ok(&["events", "send", "from.file", "--data", "1", "--id", "e-2", "--host", "other"]).await;
    let get = async |host: &TestHost, id: &str| {
        host.call(reqwest::Method::GET, &format!("/v1/spaces/acme/events/{id}"), "").await.0.as_u16()
    };
    assert_eq!((get(&one, "e-1").await, get(&one, "e-2").await), (200, 404));
    assert_eq!((get(&other, "e-1").await, get(&other, "e-2").await), (404, 200));
    let unknown = shell.run(&["spaces", "list", "--host", "none"]).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("expected one of one, other"), "{}", unknown.stderr);
    let missing = shell.run(&["subscriptions", "list", "--host", "other", "--space", "nowhere"]).await;
    assert!(missing.stderr.contains("404"), "{}", missing.stderr);
    let both = shell.run(&["spaces", "list", "--host", "one", "--url", &one.base]).await;
    assert_eq!(both.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_default_serves_a_shell_with_nothing_set() {
    let host = TestHost::start().await;
    let shell = Shell::empty();
    write_hosts(&shell, &entry("only", &host));
    shell.ok(&["subscriptions", "list"]).await;
    // The commands that were there before find it too.
    let ran = shell.run(&["diagnose", "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E"]).await;
    assert!(ran.stderr.contains("404"), "{}", ran.stderr);
    assert!(shell.ok(&["plugin", "list"]).await.contains("zapier"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_file_is_sent_only_to_its_own_address() {
    let (one, other) = (TestHost::start().await, TestHost::start().await);
    let shell = Shell::empty();
    write_hosts(&shell, &entry("one", &one));
    let ran = shell.run(&["spaces", "list", "--url", &other.base]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no API key"), "{}", ran.stderr);
    shell.ok(&["spaces", "list", "--url", &one.base]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_can_read_is_refused() {
    let host = TestHost::start().await;
    let shell = Shell::empty();
    write_hosts(&shell, &entry("only", &host));
    let file = shell.config().join("hookmill/hosts.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = shell.run(&["spaces", "list"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("0644") && ran.stderr.contains("chmod 600"), "{}", ran.stderr);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "[hosts.a]\nurl = \"http://127.0.0.1:1\"\nkey = hmk_secret\n").unwrap();
    let ran = shell.run(&["spaces", "list"]).await;
    assert!(ran.stderr.contains("line 3") && !ran.stderr.contains("hmk_secret"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_on_the_command_line_works_and_warns() {
    let host = TestHost::start().await;
    let shell = Shell::empty();
    let args = ["spaces", "list", "--url", &host.base];
    let ran = shell.run(&[&args[..], &["--key", &host.key]].concat()).await;
    assert_eq!((ran.code, ran.stderr.contains("warning: others on this machine can see")), (0, true), "{}", ran.stderr);
    let ran = shell.with("HOOKMILL_KEY", &host.key).run(&args).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_what_to_do() {
    let host = TestHost::start().await;
    let ran = Shell::empty().run(&["spaces", "list"]).await;
    assert_eq!(ran.code, 2);
    for part in ["HOOKMILL_KEY", "hosts.toml", "--key"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let shell = Shell::empty().with("HOOKMILL_KEY", &host.key);
    let ran = shell.run(&["subscriptions", "list", "--url", &host.base]).await;
    assert_eq!((ran.code, ran.stderr.contains("--space")), (2, true), "{}", ran.stderr);
    let ran = shell.run(&["spaces", "list", "--url", "http://127.0.0.1:1/"]).await;
    assert_eq!((ran.code, ran.stderr.contains("does it run?")), (1, true), "{}", ran.stderr);
    let ran = shell.with("HOOKMILL_SPACE", "Not A Space").run(&["subscriptions", "list"]).await;
    assert_eq!((ran.code, ran.stderr.contains("HOOKMILL_SPACE")), (2, true), "{}", ran.stderr);
}
