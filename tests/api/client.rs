//! A client that validates every response against the API description.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// A client with a key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    pub document: Arc<Value>,
    /// The description, with undocumented members forbidden in every object.
    strict: Arc<Value>,
}

/// A response that conforms to the description.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Returns the body if the status is the expected one.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr, key: &str) -> Self {
        let http = reqwest::Client::new();
        let base = format!("http://{address}");
        let text = http.get(format!("{base}/v1/openapi.json")).send().await.unwrap().text().await.unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let strict = Arc::new(strict(&document));
        Self { http, base, key: Some(key.to_owned()), document: Arc::new(document), strict }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn without_key(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// Posts JSON text verbatim.
    pub async fn post_text(&self, path: &str, text: &str) -> Answer {
        self.send(Method::POST, path, Some("application/json"), text.into()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some("application/json"), body.to_string().into()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some("application/merge-patch+json"), body.to_string().into()).await
    }

    /// Sends a request and validates its response.
    pub async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let answer = self.send_unchecked(method.clone(), path, content_type, body).await;
        self.check(&method, path, &answer);
        answer
    }

    /// Sends a request that the description may not cover.
    pub async fn send_unchecked(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = self.http.request(method, self.url(path)).body(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let headers = response.headers().iter().map(header).collect();
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let template = self.template(path);
        let method = method.as_str().to_lowercase();
        let what = format!("{method} {template} {}", answer.status);
        let response = &self.document["paths"][&template][&method]["responses"][answer.status.to_string()];
        assert!(response.is_object(), "undocumented: {what}: {}", answer.text);
        let Some(content) = response["content"].as_object() else {
            assert_eq!(answer.text, "", "{what} has a body");
            return;
        };
        let content_type = answer.headers.get("content-type").map_or("", String::as_str);
        assert!(content.contains_key(content_type), "{what} is {content_type}");
        if !content_type.ends_with("json") {
            return;
        }
        let escape = |text: &str| text.replace('~', "~0").replace('/', "~1");
        let mut schema = (*self.strict).clone();
        schema["$ref"] = json!(format!(
            "#/paths/{}/{method}/responses/{}/content/{}/schema",
            escape(&template).replace('{', "%7B").replace('}', "%7D"),
            answer.status,
            escape(content_type)
        ));
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        if let Err(err) = validator.validate(&answer.json()) {
            panic!("{what} does not conform to the description: {err} at {}: {}", err.instance_path(), answer.text);
        }
    }

    /// Returns the description's path template: of several that match, the one with the fewest parameters.
    fn template(&self, path: &str) -> String {
        let fits = |template: &str| {
            let (have, want): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
            have.len() == want.len() && have.iter().zip(&want).all(|(have, want)| want.starts_with('{') || have == want)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let fitting = paths.keys().filter(|template| fits(template));
        fitting.min_by_key(|template| template.matches('{').count()).expect("the description has the path").clone()
    }
}

/// Returns the description with undocumented members forbidden in every object.
fn strict(document: &Value) -> Value {
    let mut strict = document.clone();
    for schema in strict["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        // Referenced schemas are closed where they are composed.
        close_below(schema);
    }
    let items = strict["paths"].as_object_mut().unwrap().values_mut();
    for operation in items.flat_map(|item| item.as_object_mut().unwrap().values_mut()) {
        for response in operation["responses"].as_object_mut().unwrap().values_mut() {
            for content in response["content"].as_object_mut().into_iter().flat_map(|content| content.values_mut()) {
                close(&mut content["schema"]);
            }
        }
    }
    strict
}

fn close(schema: &mut Value) {
    close_below(schema);
    if let Some(members) = schema.as_object_mut()
        && ["$ref", "properties", "allOf"].iter().any(|name| members.contains_key(*name))
    {
        members.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

fn close_below(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    for (name, value) in members {
        match name.as_str() {
            "properties" => value.as_object_mut().unwrap().values_mut().for_each(close),
            "oneOf" | "anyOf" => value.as_array_mut().unwrap().iter_mut().for_each(close),
            "allOf" => value.as_array_mut().unwrap().iter_mut().for_each(close_below),
            "items" => close(value),
            _ => {}
        }
    }
}
