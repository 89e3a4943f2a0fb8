//! A plugin's log: lines from the contract's log, and from WASI's standard output and error.

use hookmill_model::{LogLevel, LogLine};

/// Lines of one transform. Empty lines take no bytes, so a limit on bytes alone would not be enough.
const LINES_MAX: usize = 1_000;

/// The log of one transform, truncated at its limit.
#[derive(Debug)]
pub(super) struct Logs {
    lines: Vec<LogLine>,
    bytes_max: usize,
    bytes_left: usize,
    dropped_lines: u64,
    dropped_bytes: u64,
    /// Unfinished lines of standard output and error: a runtime writes a line in pieces.
    output: Vec<u8>,
    error: Vec<u8>,
}

/// An output stream of a WASI program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

impl Logs {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            lines: Vec::new(),
            bytes_max,
            bytes_left: bytes_max,
            dropped_lines: 0,
            dropped_bytes: 0,
            output: Vec::new(),
            error: Vec::new(),
        }
    }

    /// Appends a line, truncated to what still fits.
    pub(super) fn write(&mut self, level: LogLevel, mut message: String) {
        let whole = message.len();
        message.truncate(message.floor_char_boundary(self.bytes_left));
        let kept = message.len();
        self.dropped_bytes += (whole - kept) as u64;
        if self.lines.len() == LINES_MAX || (kept == 0 && whole > 0) {
            self.dropped_lines += 1;
            self.dropped_bytes += kept as u64;
            return;
        }
        self.bytes_left -= kept;
        self.lines.push(LogLine { level, message });
    }

    /// Appends the output of a WASI program, line by line: standard output as `info`, standard error as `warn`.
    pub(super) fn write_stream(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let buffer = self.buffer(stream);
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    buffer.extend_from_slice(end);
                    self.end_line(stream);
                }
                None => buffer.extend_from_slice(piece),
            }
            if self.buffer(stream).len() > self.bytes_max {
                self.end_line(stream);
            }
        }
    }

    fn buffer(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(self.buffer(stream));
        let level = match stream {
            Stream::Output => LogLevel::Info,
            Stream::Error => LogLevel::Warn,
        };
        self.write(level, String::from_utf8_lossy(&line).into_owned());
    }

    /// Returns the lines, with a note of what was dropped.
    pub(super) fn finish(mut self) -> Vec<LogLine> {
        for stream in [Stream::Output, Stream::Error] {
            if !self.buffer(stream).is_empty() {
                self.end_line(stream);
            }
        }
        if self.dropped_lines > 0 || self.dropped_bytes > 0 {
            let message = format!(
                "{} bytes and {} whole lines were dropped: a transform may log {} bytes in {LINES_MAX} lines",
                self.dropped_bytes, self.dropped_lines, self.bytes_max
            );
            self.lines.push(LogLine { level: LogLevel::Warn, message });
        }
        self.lines
    }
}
