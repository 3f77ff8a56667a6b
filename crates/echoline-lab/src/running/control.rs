//! The socket on which a running lab takes changes: one request a line, answered by lines that begin with a blank,
//! then `.` or `! CODE MESSAGE`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::PATIENCE;
use crate::change::Change;
use crate::error::LabError;
use crate::lab::Lab;

/// Seen by those who share the lab's mounts.
pub(super) const SOCKET: &str = "/run/lab/control";
const LONGEST_REQUEST: u64 = 4096;

/// Takes requests for a lab, as long as the process lives.
pub struct Control {
    ended: Receiver<()>,
    end: SyncSender<()>,
}

impl Control {
    /// Starts to take requests.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(lab: &Arc<Lab>) -> Result<Self, LabError> {
        // A lab that ended in this process left its socket.
        let _ = fs::remove_file(SOCKET);
        let listener =
            UnixListener::bind(SOCKET).map_err(|e| LabError::io("listen for changes of the lab", e))?;
        let (end, ended) = sync_channel(1);
        let (lab, to_end) = (Arc::clone(lab), end.clone());
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let (lab, end) = (Arc::clone(&lab), to_end.clone());
                // A client that cannot be served sees its connection end.
                let _ =
                    thread::Builder::new().name("control".into()).spawn(move || serve(&stream, &lab, &end));
            }
        };
        thread::Builder::new()
            .name("control".into())
            .spawn(accept)
            .map_err(|e| LabError::io("start a thread for changes of the lab", e))?;
        Ok(Self { ended, end })
    }

    /// What ends the lab when called, as `echoline lab down` does: for a signal handler's thread.
    pub fn ender(&self) -> impl Fn() + Send + 'static {
        let end = self.end.clone();
        move || {
            // It is ending already if this is full.
            let _ = end.try_send(());
        }
    }

    /// Waits until somebody ends the lab.
    pub fn wait(&self) {
        let _ = self.ended.recv();
    }
}

fn serve(stream: &UnixStream, lab: &Lab, end: &SyncSender<()>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = String::new();
    BufReader::new(stream.take(LONGEST_REQUEST)).read_line(&mut request)?;
    let mut out = stream;
    match answer(request.trim(), lab, end, &mut out) {
        Ok(()) => writeln!(out, "."),
        Err(error) => writeln!(out, "! {}", error.answer()),
    }
}

fn answer(request: &str, lab: &Lab, end: &SyncSender<()>, out: &mut impl Write) -> Result<(), LabError> {
    let told = |error: io::Error| LabError::io("answer a request", error);
    match request.split_once(' ').unwrap_or((request, "")) {
        ("about", _) => {
            let topology = lab.topology();
            let names = [&topology.name].into_iter().chain(topology.nodes.iter().map(|node| &node.name));
            names.into_iter().try_for_each(|name| writeln!(out, " {name}")).map_err(told)
        }
        ("change", text) => {
            let change: Change = text.parse().map_err(LabError::BadChange)?;
            let applied = lab.change(&change)?;
            applied
                .iter()
                .flat_map(|text| text.lines())
                .try_for_each(|line| writeln!(out, " {line}"))
                .map_err(told)
        }
        ("ports", names) => {
            let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
            let ports = lab.ports(&names)?;
            ports.iter().try_for_each(|port| writeln!(out, " {} {}", port.link, port.interface)).map_err(told)
        }
        ("down", _) => {
            let _ = end.try_send(());
            Ok(())
        }
        (other, _) => Err(LabError::BadChange(format!("a lab does not know `{}`", other.escape_debug()))),
    }
}
