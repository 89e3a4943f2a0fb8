//! Attempts: written once, with their delivery's next state, and read with the delivery.

use bytes::Bytes;
use hookmill_model::{Answer, Attempt, DeliveryId, Digest, Figures, Outcome, PluginFault, SendFault, SentRequest};
use rusqlite::{Connection, Row, named_params};

use super::super::StoreError;
use super::row::{Columns as _, corrupt, count, json, micros, name};

const INSERT: &str = "
    INSERT INTO attempts (
        delivery, number, due_at, started_at, transform_us, send_us, plugin_digest, fuel_used, fuel_max,
        memory_bytes, memory_bytes_max, logs, request_method, request_url, request_headers, request_body,
        request_sealed, request_signature_headers, outcome, code, message, retry, plugin_fault, answer_status,
        answer_headers, answer_body, answer_truncated
    ) VALUES (
        :delivery, :number, :due_at, :started_at, :transform_us, :send_us, :plugin_digest, :fuel_used, :fuel_max,
        :memory_bytes, :memory_bytes_max, :logs, :request_method, :request_url, :request_headers, :request_body,
        :request_sealed, :request_signature_headers, :outcome, :code, :message, :retry, :plugin_fault,
        :answer_status, :answer_headers, :answer_body, :answer_truncated
    )";

pub(super) const OF_DELIVERY: &str = "SELECT * FROM attempts WHERE delivery = ?1 ORDER BY number";

/// Writes an attempt.
pub(super) fn insert(db: &Connection, attempt: &Attempt) -> Result<(), StoreError> {
    let request = attempt.request.as_ref();
    let figures = &attempt.figures;
    let OutcomeColumns { code, message, retry, answer } = columns(&attempt.outcome);
    db.prepare_cached(INSERT)?.execute(named_params! {
        ":delivery": attempt.delivery_id.to_string(),
        ":number": attempt.number,
        ":due_at": micros(attempt.due_at),
        ":started_at": micros(attempt.started_at),
        ":transform_us": count(figures.transform_us),
        ":send_us": count(attempt.send_us),
        ":plugin_digest": attempt.plugin_digest.as_ref().map(Digest::as_bytes),
        ":fuel_used": count(figures.fuel_used),
        ":fuel_max": count(figures.fuel_max),
        ":memory_bytes": count(figures.memory_bytes),
        ":memory_bytes_max": count(figures.memory_bytes_max),
        ":logs": (!attempt.logs.is_empty()).then(|| json(&attempt.logs)),
        ":request_method": request.map(|request| &request.method),
        ":request_url": request.map(|request| &request.url),
        ":request_headers": request.map(|request| json(&request.headers)),
        ":request_body": request.map(|request| &request.body[..]),
        ":request_sealed": request.filter(|request| !request.sealed.is_empty()).map(|request| json(&request.sealed)),
        ":request_signature_headers": request.map_or(0, |request| request.signature_headers),
        ":outcome": attempt.outcome.as_str(),
        ":code": code,
        ":message": message,
        ":retry": retry,
        ":plugin_fault": attempt.plugin_fault.as_ref().map(json),
        ":answer_status": answer.map(|answer| answer.status),
        ":answer_headers": answer.map(|answer| json(&answer.headers)),
        ":answer_body": answer.map(|answer| &answer.body[..]),
        ":answer_truncated": answer.map(|answer| answer.truncated),
    })?;
    Ok(())
}

/// The columns of an outcome other than its name.
#[derive(Default)]
struct OutcomeColumns<'a> {
    code: Option<String>,
    message: Option<&'a str>,
    retry: Option<bool>,
    answer: Option<&'a Answer>,
}

fn columns(outcome: &Outcome) -> OutcomeColumns<'_> {
    match outcome {
        Outcome::Succeeded(answer) | Outcome::Rejected(answer) => {
            OutcomeColumns { answer: Some(answer), ..OutcomeColumns::default() }
        }
        Outcome::Unreachable(SendFault { code, message }) => {
            OutcomeColumns { code: Some(name(code)), message: Some(message), ..OutcomeColumns::default() }
        }
        Outcome::Skipped(message) => OutcomeColumns { message: Some(message), ..OutcomeColumns::default() },
        Outcome::PluginFailed(PluginFault { code, message, retry }) => OutcomeColumns {
            code: Some(name(code)),
            message: Some(message),
            retry: Some(*retry),
            ..OutcomeColumns::default()
        },
    }
}

/// Reads a delivery's attempts, oldest first.
pub(super) fn of_delivery(db: &Connection, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
    let mut select = db.prepare_cached(OF_DELIVERY)?;
    Ok(select.query_map([id.to_string()], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        delivery_id: row.text("delivery")?,
        number: row.value("number")?,
        due_at: row.time("due_at")?,
        started_at: row.time("started_at")?,
        send_us: row.count("send_us")?,
        request: request(row)?,
        outcome: outcome(row)?,
        plugin_digest: row.value::<Option<[u8; 32]>>("plugin_digest")?.map(Digest::from),
        plugin_fault: row.json_if_any("plugin_fault")?,
        figures: figures(row)?,
        logs: row.json_if_any("logs")?.unwrap_or_default(),
    })
}

fn figures(row: &Row<'_>) -> rusqlite::Result<Figures> {
    Ok(Figures {
        fuel_used: row.count("fuel_used")?,
        fuel_max: row.count("fuel_max")?,
        memory_bytes: row.count("memory_bytes")?,
        memory_bytes_max: row.count("memory_bytes_max")?,
        transform_us: row.count("transform_us")?,
    })
}

fn request(row: &Row<'_>) -> rusqlite::Result<Option<SentRequest>> {
    let Some(method) = row.value("request_method")? else { return Ok(None) };
    Ok(Some(SentRequest {
        method,
        url: row.value("request_url")?,
        headers: row.json("request_headers")?,
        body: Bytes::from(row.value::<Vec<u8>>("request_body")?),
        signature_headers: row.value("request_signature_headers")?,
        sealed: row.json_if_any("request_sealed")?.unwrap_or_default(),
    }))
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<Outcome> {
    match row.value::<String>("outcome")?.as_str() {
        "succeeded" => answer(row).map(Outcome::Succeeded),
        "rejected" => answer(row).map(Outcome::Rejected),
        "unreachable" => {
            Ok(Outcome::Unreachable(SendFault { code: row.variant("code")?, message: row.value("message")? }))
        }
        "skipped" => row.value("message").map(Outcome::Skipped),
        "plugin_failed" => Ok(Outcome::PluginFailed(PluginFault {
            code: row.variant("code")?,
            message: row.value("message")?,
            retry: row.value("retry")?,
        })),
        other => Err(corrupt("outcome", format!("unknown outcome `{other}`"))),
    }
}

fn answer(row: &Row<'_>) -> rusqlite::Result<Answer> {
    Ok(Answer {
        status: row.value("answer_status")?,
        headers: row.json("answer_headers")?,
        body: Bytes::from(row.value::<Vec<u8>>("answer_body")?),
        truncated: row.value("answer_truncated")?,
    })
}
