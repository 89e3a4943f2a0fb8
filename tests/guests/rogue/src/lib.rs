//! A plugin that does what its configuration says, mostly wrong.
//!
//! The configuration is a JSON string, a word and perhaps more after a colon: `"spin"`, `"header:Host: example.org"`.
#![allow(clippy::print_stderr, reason = "WASI's standard error is one of the ways out that it tries")]

use std::hint::black_box;
use std::io::Write as _;

#[allow(missing_docs, unused_qualifications, clippy::all)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/1.1.0", world: "plugin" });
}

use bindings::exports::hookmill::plugin::transformer::Guest;
use bindings::hookmill::plugin::log::{self, Level};
use bindings::hookmill::plugin::secrets::placeholder;
use bindings::hookmill::plugin::types::{Binary, Body, Delivery, Description, Failure, Outcome, Request};

struct Rogue;

impl Guest for Rogue {
    fn describe() -> Description {
        Description {
            name: "rogue".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Does what it is told, mostly wrong.".to_owned(),
            content_types: vec!["application/json".to_owned()],
            config_schema: r#"{"type":"string"}"#.to_owned(),
            extra: Vec::new(),
        }
    }

    fn transform(delivery: Delivery) -> Result<Outcome, Failure> {
        let config = delivery.subscription.config.trim_matches('"').to_owned();
        let (word, rest) = config.split_once(':').unwrap_or((&config, ""));
        log::write(Level::Info, &format!("told to {word}"));
        match word {
            "skip" => Ok(Outcome::Skip(rest.to_owned())),
            "fail" => Err(Failure { reason: rest.to_owned(), retry: false }),
            "fail-retry" => Err(Failure { reason: rest.to_owned(), retry: true }),
            _ => Ok(Outcome::Deliver(request(word, rest, &delivery))),
        }
    }
}

fn request(word: &str, rest: &str, delivery: &Delivery) -> Request {
    let mut request = Request {
        method: None,
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Json(delivery.events[0].data.clone()),
        extra: Vec::new(),
    };
    match word {
        "echo" => request.headers.push(("X-Delivery".to_owned(), delivery.id.clone())),
        "form" => {
            request.body = Body::Form(vec![("a b".to_owned(), "ü&".to_owned()), ("a b".to_owned(), String::new())]);
        }
        "text" => request.body = Body::Text(everything(delivery)),
        "binary" => request.body = Body::Binary(Binary { content_type: rest.to_owned(), bytes: vec![0, 255] }),
        "json" => request.body = Body::Json(rest.replace('\'', "\"")),
        "method" => request.method = Some(rest.to_owned()),
        "query" => request.query.push(("q".to_owned(), "ü".repeat(rest.parse().expect("a number")))),
        "header" => request.headers.push(header(rest)),
        "headers" => request.headers = (0..number(rest)).map(|n| (format!("x-{n}"), "1".to_owned())).collect(),
        "header-name" => request.headers.push(("x".repeat(number(rest)), "1".to_owned())),
        "header-value" => request.headers.push(("x-long".to_owned(), "1".repeat(number(rest)))),
        "headers-sum" => {
            request.headers = (0..5).map(|n| (format!("x-{n}"), "1".repeat(number(rest)))).collect();
        }
        "huge" => request.body = Body::Text("x".repeat(number(rest))),
        "huge-form" => request.body = Body::Form(vec![("x".to_owned(), "ü".repeat(number(rest)))]),
        "fields" => request.body = Body::Form(vec![(String::new(), String::new()); number(rest)]),
        "utf8" => request.body = Body::Text(no_utf8()),
        "log-utf8" => log::write(Level::Info, &no_utf8()),
        "tell" => tell(rest, &delivery.events[0].data, &mut request),
        "secret" => request.headers.push(("x-secret".to_owned(), told_secret(rest))),
        "secrets" => rest.split(',').for_each(|name| {
            told_secret(name);
        }),
        "ask" => (0..number(rest)).for_each(|_| {
            black_box(placeholder("signing")).expect("there is one");
        }),
        "log" => log::write(Level::Error, rest),
        "log-long" => log::write(Level::Warn, &"y".repeat(number(rest))),
        "log-many" => (0..number(rest)).for_each(|n| log::write(Level::Debug, &n.to_string())),
        "output" => {
            print!("to the out");
            println!("put");
            eprintln!("to the error");
            print!("unfinished");
            std::io::stdout().flush().expect("it is taken");
        }
        other => misbehave(other, rest),
    }
    request
}

/// On its own in a backtrace.
#[inline(never)]
fn misbehave(word: &str, rest: &str) {
    match word {
        "spin" => loop {
            black_box(0);
        },
        "hog" => {
            let mut all = Vec::new();
            loop {
                all.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "fill" => {
            let mut block = vec![0_u8; 32 << 20];
            loop {
                black_box(&mut block).fill(7);
            }
        }
        "recurse" => {
            black_box(recurse(black_box(1)));
        }
        "panic" => panic!("{rest}"),
        "panic-hook" => {
            std::panic::set_hook(Box::new(|info| log::write(Level::Error, &info.to_string())));
            panic!("{rest}");
        }
        "abort" => std::process::abort(),
        "exit" => std::process::exit(1),
        "flood" => loop {
            log::write(Level::Info, "never enough");
        },
        "flood-long" => {
            let line = "ü".repeat(1 << 20);
            loop {
                log::write(Level::Info, &line);
            }
        }
        "clock" => loop {
            black_box(std::time::SystemTime::now());
        },
        "sleep" => loop {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        },
        "print" => loop {
            println!("never enough");
        },
        "file" => {
            std::fs::read("/etc/passwd").expect("a file");
        }
        other => panic!("told to do {other}"),
    }
}

/// Asks for a secret and tells the answer wherever it can.
fn told_secret(name: &str) -> String {
    let answer = placeholder(name).unwrap_or_else(|reason| format!("refused: {reason}"));
    log::write(Level::Info, &answer);
    println!("{answer}");
    answer
}

/// `json:NAME`, `form:NAME`, `text:NAME` or `binary:NAME`: the secret beside the event's data in such a body and in a
/// header, with what can be computed of it in another.
fn tell(rest: &str, data: &str, request: &mut Request) {
    let (kind, name) = rest.split_once(':').expect("a kind of body and a secret's name");
    let secret = told_secret(name);
    let computed = format!("{} {}", secret.len(), secret.chars().rev().collect::<String>());
    log::write(Level::Info, &computed);
    request.headers = vec![("x-secret".to_owned(), format!("Key {secret}")), ("x-computed".to_owned(), computed)];
    request.body = match kind {
        "json" => Body::Json(format!(r#"{{"key":"{secret}","data":{data}}}"#)),
        "form" => Body::Form(vec![("key".to_owned(), secret), ("data".to_owned(), data.to_owned())]),
        "text" => Body::Text(format!("{secret} {data}")),
        _ => Body::Binary(Binary { content_type: "application/octet-stream".to_owned(), bytes: secret.into_bytes() }),
    };
}

/// Everything that a plugin is given, and everything that WASI could tell.
fn everything(delivery: &Delivery) -> String {
    let random = std::hash::RandomState::new();
    let random = std::hash::BuildHasher::hash_one(&random, 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let environment: Vec<_> = std::env::vars().collect();
    let arguments: Vec<_> = std::env::args().collect();
    format!("{delivery:?} {now:?} {random} {environment:?} {arguments:?}")
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

/// `name=value`, in which `\r`, `\n` and `\0` stand for what no header has.
fn header(text: &str) -> (String, String) {
    let text = text.replace("\\\\", "\\").replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0");
    let (name, value) = text.split_once('=').expect("a name and a value");
    (name.to_owned(), value.to_owned())
}

fn no_utf8() -> String {
    // SAFETY: it is not, and whoever receives it must find out.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, b'b']) }
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack's end is what it looks for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    recurse(depth + 1) + frame[7]
}

bindings::export!(Rogue with_types_in bindings);
