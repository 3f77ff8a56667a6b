//! Standard output: data, and nothing else.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};

use echoline_check::no_file;
use echoline_diagnosis::{Diagnosis, code, escape};
use serde::Serialize;

use crate::failure::Stop;

/// Standard output, buffered; what can go wrong with it already has its meaning as a [`Stop`].
///
/// A reader that left (`| head -1`) ends the command cleanly. Anything else, such as a full disk, is a failure.
/// The buffer is written out by each method that says so and by [`Output::flush`]; what is left when this is dropped
/// is written too, but then nobody learns of an error.
pub(crate) struct Output {
    // Not `std::io::Stdout`: that searches each write for a newline and flushes there.
    out: BufWriter<File>,
}

impl Output {
    pub(crate) fn new() -> Result<Self, Stop> {
        let own = rustix::stdio::stdout().try_clone_to_owned();
        let own = own.map_err(|error| no_file("open standard output once more", &error))?;
        Ok(Self { out: BufWriter::with_capacity(64 * 1024, File::from(own)) })
    }

    /// Bytes as they are, into the buffer.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.out.write_all(bytes).map_err(stop)
    }

    /// Text as it is (with a newline at its end if it has none), written at once.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) -> Result<(), Stop> {
        let text = text.as_ref();
        self.bytes(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.bytes(b"\n")?;
        }
        self.flush()
    }

    /// The one JSON document of a `--json` run, on lines of its own.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<(), Stop> {
        self.document(serde_json::to_string_pretty(document))
    }

    /// One JSON document on one line, written at once: a stream that is read as it comes.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> Result<(), Stop> {
        self.document(serde_json::to_string(document))
    }

    /// Texts of a peer can stand in it, and standard output can be a terminal.
    fn document(&mut self, document: serde_json::Result<String>) -> Result<(), Stop> {
        let document = document.map_err(|error| stop(error.into()))?;
        self.text(escape::json(&document).to_string())
    }

    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        self.out.flush().map_err(stop)
    }
}

fn stop(error: io::Error) -> Stop {
    if error.kind() == ErrorKind::BrokenPipe {
        return Stop::OutputClosed;
    }
    let failure = Diagnosis::new(code::OUTPUT, "cannot write to standard output").caused_by(error);
    failure
        .evidence("so", "what follows would be lost, so the command ended here")
        .next("give standard output a place that takes it: a disk with room, a pipe that is read")
        .into()
}
