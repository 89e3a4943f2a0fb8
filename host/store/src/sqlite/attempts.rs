//! Attempts: written once, with their delivery's next state, and read with the delivery.

use bytes::Bytes;
use hookmill_model::{
    Answer, Attempt, Delivery, DeliveryState, Digest, Figures, Outcome, PluginFault, SendFault, SentRequest,
};
use rusqlite::{Connection, Row, params};

use super::super::{Record, StoreError};
use super::leases::Lease;
use super::row::{Columns as _, corrupt, count, json, micros, name};
use super::writing::Writing;

pub(super) const INSERT: &str = "
    INSERT INTO attempts (
        key, space, due_at, started_at, recorded_at, transform_us, send_us, outcome, problem, answer_status, plugin,
        fuel_used, fuel_max, memory_bytes, memory_bytes_max, message, retry, plugin_fault, reason, logs, request_method,
        request_url, request_headers, request_sealed, request_signature_headers, answer_headers, answer_truncated,
        request_body, answer_body
    ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
        ?26, ?27, ?28, ?29
    )";

pub(super) const OF_DELIVERY: &str = "
    SELECT attempts.*, digest FROM attempts LEFT JOIN digests ON digests.key = plugin
    WHERE attempts.key > ?1 AND attempts.key < ?2 ORDER BY attempts.key";

/// Attempts of one delivery: their numbers are the lower 16 bits of their keys.
pub(super) const NUMBERS: i64 = 1 << 16;

/// Returns the range of the keys of a delivery's attempts, without its ends.
pub(super) fn range(delivery: i64) -> [i64; 2] {
    [delivery * NUMBERS, (delivery + 1) * NUMBERS]
}

/// Writes an attempt of the delivery with this key.
pub(super) fn insert(
    db: &Writing<'_>,
    delivery: i64,
    lease: &Lease,
    record: &Record,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let number = i64::from(attempt.number);
    if number >= NUMBERS {
        return Err(StoreError::Corrupt(format!("attempt {number} is more than a delivery may have")));
    }
    let request = attempt.request.as_ref();
    let figures = &attempt.figures;
    let OutcomeColumns { problem, message, retry, answer } = columns(&attempt.outcome);
    let plugin = attempt.plugin_digest.as_ref().map(|digest| db.digest(digest)).transpose()?;
    let request_body = request.map(|request| compress(&request.body, lease.event.data.get().as_bytes()));
    let request_headers = request.map(|request| json(&request.headers));
    let answer_headers = answer.map(|answer| json(&answer.headers));
    let logs = (!attempt.logs.is_empty()).then(|| json(&attempt.logs));
    let texts = [&request_headers, &answer_headers, &logs].map(|text| text.as_ref().map_or(0, String::len));
    let bodies = request_body.as_ref().map_or(0, Vec::len) + answer.map_or(0, |answer| answer.body.len());
    db.stored(lease.space, count(texts.iter().sum::<usize>() + bodies));
    // By position: named parameters would be searched for, one by one.
    db.prepare_cached(INSERT)?.execute(params![
        delivery * NUMBERS + number,
        lease.space,
        micros(attempt.due_at),
        micros(attempt.started_at),
        micros(record.at),
        count(figures.transform_us),
        count(attempt.send_us),
        attempt.outcome.as_str(),
        problem,
        answer.map(|answer| answer.status),
        plugin,
        count(figures.fuel_used),
        count(figures.fuel_max),
        count(figures.memory_bytes),
        count(figures.memory_bytes_max),
        message,
        retry,
        attempt.plugin_fault.as_ref().map(json),
        (record.state == DeliveryState::Delivered).then_some(record.reason.as_deref()).flatten(),
        logs,
        request.map(|request| &request.method),
        request.map(|request| &request.url),
        request_headers,
        request.filter(|request| !request.sealed.is_empty()).map(|request| json(&request.sealed)),
        request.map_or(0, |request| request.signature_headers),
        answer_headers,
        answer.map(|answer| answer.truncated),
        request_body,
        answer.map(|answer| &answer.body[..]),
    ])?;
    Ok(())
}

/// Returns a kept body's stored form: an LZ4 block behind its length.
pub(super) fn compress(body: &[u8], dictionary: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size_with_dict(body, dictionary)
}

/// The columns of an outcome other than its name.
#[derive(Default)]
struct OutcomeColumns<'a> {
    problem: Option<String>,
    message: Option<&'a str>,
    retry: Option<bool>,
    answer: Option<&'a Answer>,
}

fn columns(outcome: &Outcome) -> OutcomeColumns<'_> {
    match outcome {
        Outcome::Succeeded(answer) => OutcomeColumns { answer: Some(answer), ..OutcomeColumns::default() },
        Outcome::Rejected(answer) => OutcomeColumns {
            problem: Some(answer.status.to_string()),
            answer: Some(answer),
            ..OutcomeColumns::default()
        },
        Outcome::Unreachable(SendFault { code, message }) => {
            OutcomeColumns { problem: Some(name(code)), message: Some(message), ..OutcomeColumns::default() }
        }
        Outcome::Skipped(message) => OutcomeColumns { message: Some(message), ..OutcomeColumns::default() },
        Outcome::PluginFailed(PluginFault { code, message, retry }) => OutcomeColumns {
            problem: Some(name(code)),
            message: Some(message),
            retry: Some(*retry),
            ..OutcomeColumns::default()
        },
    }
}

/// Reads the attempts of the delivery with this key, oldest first.
pub(super) fn of_delivery(db: &Connection, key: i64, delivery: &Delivery) -> Result<Vec<Attempt>, StoreError> {
    let mut select = db.prepare_cached(OF_DELIVERY)?;
    Ok(select.query_map(range(key), |row| read(row, delivery))?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>, delivery: &Delivery) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        delivery_id: delivery.id,
        number: u32::try_from(row.value::<i64>("key")? % NUMBERS).map_err(|error| corrupt("key", error))?,
        due_at: row.time("due_at")?,
        started_at: row.time("started_at")?,
        send_us: row.count("send_us")?,
        request: request(row, delivery.event.data.get().as_bytes())?,
        outcome: outcome(row)?,
        plugin_digest: row.value::<Option<[u8; 32]>>("digest")?.map(Digest::from),
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

fn request(row: &Row<'_>, dictionary: &[u8]) -> rusqlite::Result<Option<SentRequest>> {
    let Some(method) = row.value("request_method")? else { return Ok(None) };
    let block = row.get_ref("request_body")?.as_blob().map_err(|error| corrupt("request_body", error))?;
    let body = lz4_flex::block::decompress_size_prepended_with_dict(block, dictionary)
        .map_err(|error| corrupt("request_body", error))?;
    Ok(Some(SentRequest {
        method,
        url: row.value("request_url")?,
        headers: row.json("request_headers")?,
        body: Bytes::from(body),
        signature_headers: row.value("request_signature_headers")?,
        sealed: row.json_if_any("request_sealed")?.unwrap_or_default(),
    }))
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<Outcome> {
    match row.value::<String>("outcome")?.as_str() {
        "succeeded" => answer(row).map(Outcome::Succeeded),
        "rejected" => answer(row).map(Outcome::Rejected),
        "unreachable" => {
            Ok(Outcome::Unreachable(SendFault { code: row.variant("problem")?, message: row.value("message")? }))
        }
        "skipped" => row.value("message").map(Outcome::Skipped),
        "plugin_failed" => Ok(Outcome::PluginFailed(PluginFault {
            code: row.variant("problem")?,
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
