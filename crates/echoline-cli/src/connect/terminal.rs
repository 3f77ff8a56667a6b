//! On a terminal: a line, its answer, the next line.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use echoline_check::{no_thread, recognise};
use echoline_diagnosis::Diagnosis;
use rustyline::error::{ReadlineError, Signal};
use rustyline::{DefaultEditor, ExternalPrinter};

use super::conversation::{Ending, Exchanged, Options, Stalled, Tally, is_timeout};
use super::crlf::Crlf;
use super::difference::{CONTEXT, Difference};
use super::inbox::{Inbox, Waited};
use super::interrupt::Interrupt;
use super::round_trip::RoundTrips;
use super::screen;
use super::trace::Call;
use super::window::Position;
use crate::failure::Stop;
use crate::talk::Talk;

/// One conversation with a person.
pub(super) struct Terminal<'a> {
    stream: &'a Arc<TcpStream>,
    interrupt: &'a Interrupt,
    options: Options,
    talk: Talk,
    inbox: Arc<Inbox>,
    sent: Tally,
    /// Behind all that was sent.
    position: Position,
    round_trips: RoundTrips,
    /// The first thing that went wrong.
    problem: Option<Ending>,
}

/// Why the last line was the last.
enum Left {
    Finished,
    Interrupted,
    Failed(io::Error),
}

/// Reads lines from the terminal, sends them and shows the answers, until one of the three ends it.
pub(super) fn converse(
    stream: &Arc<TcpStream>,
    interrupt: &Interrupt,
    options: Options,
    talk: Talk,
) -> Result<Exchanged, Stop> {
    let failed = |error: ReadlineError| Exchanged {
        sent: Tally::default(),
        received: Tally::default(),
        round_trips: RoundTrips::new(),
        ending: Ending::InputFailed(io::Error::other(error)),
    };
    match DefaultEditor::new() {
        Ok(mut editor) => {
            let mut terminal = Terminal::new(stream, interrupt, options, talk, &mut editor)?;
            let left = terminal.lines(&mut editor);
            Ok(terminal.end(left))
        }
        Err(error) => Ok(failed(error)),
    }
}

impl<'a> Terminal<'a> {
    fn new(
        stream: &'a Arc<TcpStream>,
        interrupt: &'a Interrupt,
        options: Options,
        talk: Talk,
        editor: &mut DefaultEditor,
    ) -> Result<Self, Diagnosis> {
        // It prints above the line that is being typed. A terminal that cannot do that gets it in between.
        let mut printer = editor.create_external_printer().ok();
        let show = move |text: String| match &mut printer {
            Some(printer) => drop(printer.print(text)),
            None => show(text.trim_end_matches('\n')),
        };
        let inbox = Inbox::open(Arc::clone(stream), options.verify, options.trace, show);
        Ok(Self {
            stream,
            interrupt,
            options,
            talk,
            inbox: inbox.map_err(|error| no_thread("receive", &error))?,
            sent: Tally::default(),
            position: Position::START,
            round_trips: RoundTrips::new(),
            problem: None,
        })
    }

    fn lines(&mut self, editor: &mut DefaultEditor) -> Left {
        self.talk.say("Type a line; Ctrl-D ends.");
        let history = History::load(editor);
        let mut crlf = self.options.crlf.then(Crlf::default);
        let left = loop {
            match editor.readline("> ") {
                Ok(_) if self.inbox.has_ended() => break Left::Finished,
                Ok(line) => {
                    // A line that cannot be remembered can still be sent.
                    let _ = editor.add_history_entry(&line);
                    let bytes = format!("{line}\n").into_bytes();
                    let bytes = crlf.as_mut().map_or(&bytes[..], |crlf| crlf.convert(&bytes));
                    self.exchange(bytes);
                }
                Err(ReadlineError::Eof) => break Left::Finished,
                Err(ReadlineError::Interrupted | ReadlineError::Signal(Signal::Interrupt)) => {
                    break Left::Interrupted;
                }
                Err(ReadlineError::Signal(Signal::Resize)) => {}
                Err(error) => break Left::Failed(io::Error::other(error)),
            }
            if self.interrupt.is_interrupted() {
                break Left::Interrupted;
            }
            if self.inbox.has_ended() {
                break Left::Finished;
            }
        };
        history.save(editor);
        left
    }

    /// Sends one line (or several, pasted) and shows what comes back.
    fn exchange(&mut self, bytes: &[u8]) {
        let Options { verify, wait, trace, .. } = self.options;
        let start = self.position;
        self.inbox.expect();
        trace.call(Call::Send(bytes.len()));
        self.sent.add(bytes);
        self.position = start.after(bytes);
        // So that a server that reads nothing does not hold us forever.
        let written =
            self.stream.set_write_timeout(Some(wait)).and_then(|()| (&**self.stream).write_all(bytes));
        let bytes_left = bytes.len() as u64;
        let refused = written.err().map(|error| {
            if is_timeout(&error) {
                Ending::NoReply { missing: bytes_left, from: start, stalled: Stalled::Writing }
            } else {
                Ending::Broken(error, Some(Difference::Missing { at: start, bytes: bytes_left }))
            }
        });
        let (reply, waited) = self.inbox.answer(bytes, verify, wait);
        if self.interrupt.is_interrupted() {
            return;
        }
        if reply.reads > 0 {
            show(&screen::reply(&reply, if self.options.crlf { b"\r\n" } else { b"\n" }, verify));
        }
        let problem = refused.or_else(|| judge(bytes, &reply.bytes, waited, start, verify));
        match &problem {
            None if verify => self
                .round_trips
                .record(reply.took, bytes.iter().filter(|&&byte| byte == b'\n').count() as u64),
            None => {}
            Some(problem) => self.talk.say(screen::problem(problem, wait)),
        }
        self.problem = self.problem.take().or(problem);
    }

    /// Ends our side, waits for the other's, and counts up.
    fn end(mut self, left: Left) -> Exchanged {
        let Options { wait, trace, verify, .. } = self.options;
        self.inbox.leave();
        if matches!(left, Left::Finished) && !self.inbox.has_ended() {
            trace.call(Call::Finish);
            // If it is gone already, waiting for its end shows that.
            let _ = self.stream.shutdown(Shutdown::Write);
        } else if matches!(left, Left::Finished) && self.problem.is_none() && verify {
            self.problem = Some(Ending::ClosedEarly(None));
        }
        let end = match left {
            Left::Finished => self.inbox.end(wait),
            _ => None,
        };
        let (unasked, spoke_first) = self.inbox.unasked();
        let at = if spoke_first { Position::START } else { self.position };
        let surplus = (verify && !unasked.is_empty()).then(|| {
            let speaks = recognise(&unasked).filter(|_| spoke_first);
            Ending::Different(Difference::Surplus { at, bytes: unasked, endless: false }, speaks)
        });
        if spoke_first && surplus.is_some() {
            // What followed from it is of no interest.
            self.problem = None;
        }
        let ending = match (left, end) {
            (Left::Interrupted, _) => Ending::Interrupted,
            (Left::Failed(error), _) => Ending::InputFailed(error),
            (Left::Finished, Some(Err(error))) => Ending::Broken(error, self.problem.and_then(missing)),
            (Left::Finished, end) => match (self.problem.or(surplus), end) {
                (Some(problem), _) => problem,
                (None, None) => Ending::LeftOpen,
                (None, Some(_)) => Ending::Complete,
            },
        };
        trace.call(Call::Close);
        Exchanged { sent: self.sent, received: self.inbox.received(), round_trips: self.round_trips, ending }
    }
}

/// What is wrong with an answer, if anything is.
fn judge(sent: &[u8], received: &[u8], waited: Waited, start: Position, verify: bool) -> Option<Ending> {
    let same = sent.iter().zip(received).take_while(|(sent, received)| sent == received).count();
    let at = start.after(&sent[..same]);
    let missing = (sent.len() - same) as u64;
    let cut = |bytes: &[u8]| bytes[..bytes.len().min(CONTEXT)].to_vec();
    match waited {
        _ if verify && received == sent => None,
        _ if verify && same < received.len() => {
            let difference = Difference::name(at, &cut(&sent[same..]), &cut(&received[same..]));
            let speaks = recognise(received).filter(|_| difference.is_at_the_start());
            Some(Ending::Different(difference, speaks))
        }
        Waited::TimedOut if verify || received.is_empty() => {
            Some(Ending::NoReply { missing, from: at, stalled: Stalled::Ended })
        }
        Waited::Ended if verify => {
            Some(Ending::ClosedEarly(Some(Difference::Missing { at, bytes: missing })))
        }
        _ => None,
    }
}

fn missing(problem: Ending) -> Option<Difference> {
    match problem {
        Ending::ClosedEarly(missing) | Ending::Broken(_, missing) => missing,
        _ => None,
    }
}

/// A line on standard output, which is a terminal; one that is gone ends the next `readline`.
fn show(line: &str) {
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}

/// Lines typed before: `$XDG_STATE_HOME/echoline/history`, else `~/.local/state/echoline/history`.
///
/// Nothing about it stops a conversation.
struct History(Option<PathBuf>);

impl History {
    fn load(editor: &mut DefaultEditor) -> Self {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state =
            absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let file = state.map(|state| state.join("echoline").join("history"));
        if let Some(file) = &file {
            let _ = editor.load_history(file);
        }
        Self(file)
    }

    fn save(&self, editor: &mut DefaultEditor) {
        if let Some(file) = &self.0 {
            let _ = file.parent().map(std::fs::create_dir_all);
            let _ = editor.save_history(file);
        }
    }
}
