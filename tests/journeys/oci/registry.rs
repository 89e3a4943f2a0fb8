//! Debian's registry as a process of its own, on a port and in a folder of its own.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hookmill_model::Digest;
use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::left_out;

/// `user` with the password `secret`, as htpasswd writes it.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A running registry, ended when it is dropped.
pub struct Registry {
    /// Its host and port.
    pub address: String,
    child: Child,
    dir: TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Registry {
    /// A registry that needs no credentials; none if the program is not installed, which is reported.
    pub fn start() -> Option<Self> {
        Self::run("")
    }

    /// One that wants a name and a password.
    pub fn with_password() -> Option<Self> {
        Self::run("auth: {htpasswd: {realm: tests, path: DIR/htpasswd}}\n")
    }

    fn run(more: &str) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let path = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {path}/data}}}}\n\
             http: {{addr: \"127.0.0.1:0\"}}\n{}",
            more.replace("DIR", path)
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                left_out("a test of an OCI registry", "docker-registry", "apt-get install docker-registry");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let address = line.split_once("listening on ")?.1.split(['"', ' ']).next()?.to_owned();
            Some(address)
        });
        // Read on, so that it never waits for somebody to read its log.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { address: address.expect("it ended before it listened"), child, dir })
    }

    /// Asks the registry itself, as any other client would.
    pub async fn get(&self, path: &str, accept: &str) -> (Option<String>, Vec<u8>) {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("http://{}/v2/{path}", self.address)).header("accept", accept);
        let response = request.send().await.unwrap().error_for_status().unwrap();
        let digest = response.headers().get("docker-content-digest").map(|value| value.to_str().unwrap().to_owned());
        (digest, response.bytes().await.unwrap().into())
    }

    /// Puts a manifest under a tag; answers its digest.
    pub async fn put_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> Digest {
        let bytes = serde_json::to_vec(manifest).unwrap();
        let digest = Digest::of(&bytes);
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.put(format!("http://{}/v2/{repository}/manifests/{tag}", self.address));
        let media_type = manifest["mediaType"].as_str().unwrap();
        let response = request.header("content-type", media_type).body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
        digest
    }

    /// Where it keeps a blob on its disk.
    pub fn file(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let folder = self.dir.path().join("data/docker/registry/v2/blobs/sha256");
        folder.join(&hex[..2]).join(&hex).join("data")
    }
}
