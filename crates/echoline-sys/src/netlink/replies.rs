//! Selects the replies to one request from datagrams (netlink(7)). No I/O.

use std::io;

use rustix::io::Errno;

use super::message::{HEADER, Malformed, Message, messages};
use crate::Outcome;

/// The kinds of message that all netlink protocols share.
const NOTHING: u16 = libc::NLMSG_NOOP as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
const OVERRUN: u16 = libc::NLMSG_OVERRUN as u16;
/// The flag of a list whose table changed meanwhile.
const INTERRUPTED: u16 = libc::NLM_F_DUMP_INTR as u16;
/// The largest error number of Linux.
const MAX_ERRNO: i32 = 4095;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The kernel replied with an error. Its meaning depends on the question.
    Refused(Errno),
    /// The kernel sent no reply, or a malformed one.
    Failed(io::Error),
}

impl NoAnswer {
    /// A no if the error is one of `definite`, else a failed question.
    pub(super) fn outcome<T>(self, definite: &[Errno]) -> Outcome<T> {
        match self {
            Self::Refused(errno) if definite.contains(&errno) => Outcome::No(errno),
            Self::Refused(errno) => Outcome::Failed(errno.into()),
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }
}

impl From<NoAnswer> for io::Error {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Refused(errno) => errno.into(),
            NoAnswer::Failed(reason) => reason,
        }
    }
}

impl From<Malformed> for NoAnswer {
    fn from(malformed: Malformed) -> Self {
        Self::Failed(malformed.into())
    }
}

/// What is expected in reply to a request.
pub(crate) struct Expected<T> {
    /// The kind of message that answers.
    pub(crate) kind: u16,
    /// Parses its body.
    pub(crate) read: fn(&[u8]) -> Result<T, Malformed>,
    /// Any number of answers and an end, instead of one answer.
    pub(crate) is_list: bool,
}

/// The replies so far.
pub(super) struct Replies<T> {
    expected: Expected<T>,
    sequence: u32,
    found: Vec<T>,
}

impl<T> Replies<T> {
    /// Replies to the request with this sequence number.
    pub(super) fn to(sequence: u32, expected: Expected<T>) -> Self {
        Self { expected, sequence, found: Vec::new() }
    }

    /// Takes one datagram from the kernel. True: the replies are complete.
    ///
    /// Messages with another sequence number belong to another request and are ignored.
    pub(super) fn take(&mut self, datagram: &[u8]) -> Result<bool, NoAnswer> {
        for message in messages(datagram) {
            let message = message?;
            if message.sequence == self.sequence && self.take_one(message)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take_one(&mut self, message: Message<'_>) -> Result<bool, NoAnswer> {
        if message.flags & INTERRUPTED != 0 {
            return Err(failed("the table changed while the kernel listed it"));
        }
        match message.kind {
            NOTHING => Ok(false),
            OVERRUN => Err(failed("the kernel lost a part of its reply")),
            ERROR => Err(error_of(message.body)?),
            DONE if self.expected.is_list => done(message.body).map(|()| true),
            kind if kind == self.expected.kind => {
                self.found.push((self.expected.read)(message.body)?);
                Ok(!self.expected.is_list)
            }
            _ => Err(Malformed("a message of another kind").into()),
        }
    }

    /// The answers so far.
    pub(super) fn into_found(self) -> Vec<T> {
        self.found
    }
}

fn failed(reason: &'static str) -> NoAnswer {
    NoAnswer::Failed(io::Error::other(reason))
}

/// `nlmsgerr`: the negative error number, then the header of the request.
fn error_of(body: &[u8]) -> Result<NoAnswer, Malformed> {
    let (error, request) = body.split_first_chunk().ok_or(Malformed("an error without a number"))?;
    if request.len() < HEADER {
        return Err(Malformed("an error without its request"));
    }
    match i32::from_ne_bytes(*error) {
        0 => Err(Malformed("an acknowledgement instead of an answer")),
        error => errno_of(error).map(NoAnswer::Refused),
    }
}

/// The end of a list, with an error number if the kernel could not make the list: without the
/// module `tcp_diag`, for example, it sends such an end and nothing else.
fn done(body: &[u8]) -> Result<(), NoAnswer> {
    if body.is_empty() {
        return Ok(());
    }
    let (error, _) = body.split_first_chunk().ok_or(Malformed("an end with a cut number"))?;
    match i32::from_ne_bytes(*error) {
        0.. => Ok(()),
        error => Err(NoAnswer::Refused(errno_of(error)?)),
    }
}

/// The error of the negative number that the kernel sends.
fn errno_of(negative: i32) -> Result<Errno, Malformed> {
    let positive = negative.checked_neg().filter(|number| (1..=MAX_ERRNO).contains(number));
    positive.map(Errno::from_raw_os_error).ok_or(Malformed("an error number out of range"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::Request;
    use super::*;

    const MINE: u32 = 5;
    const KIND: u16 = 20;

    fn replies(is_list: bool) -> Replies<Vec<u8>> {
        Replies::to(MINE, Expected { kind: KIND, read: |body| Ok(body.to_vec()), is_list })
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        Request::new(kind, 2, body).bytes(MINE)
    }

    /// An error about a request, as the kernel writes it.
    fn error(number: i32) -> Vec<u8> {
        message(ERROR, &[&number.to_ne_bytes()[..], &[0; HEADER]].concat())
    }

    fn refused(result: Result<bool, NoAnswer>) -> Errno {
        match result.unwrap_err() {
            NoAnswer::Refused(errno) => errno,
            NoAnswer::Failed(reason) => panic!("{reason}"),
        }
    }

    fn failure(result: Result<bool, NoAnswer>) -> String {
        match result.unwrap_err() {
            NoAnswer::Refused(errno) => panic!("{errno}"),
            NoAnswer::Failed(reason) => reason.to_string(),
        }
    }

    #[test]
    fn one_answer_is_complete_with_the_first_message() {
        let mut one = replies(false);
        assert!(one.take(&message(KIND, &[1; 4])).unwrap());
        assert_eq!(one.into_found(), [[1; 4]]);
    }

    #[test]
    fn a_list_of_several_parts_is_complete_with_its_end_alone() {
        let mut list = replies(true);
        assert!(!list.take(&[message(KIND, &[1; 4]), message(KIND, &[2; 4])].concat()).unwrap());
        assert!(!list.take(&message(KIND, &[3; 4])).unwrap());
        assert!(list.take(&[message(KIND, &[4; 4]), message(DONE, &[0; 4])].concat()).unwrap());
        assert_eq!(list.into_found(), [[1; 4], [2; 4], [3; 4], [4; 4]]);
    }

    #[test]
    fn replies_to_another_request_are_ignored() {
        let mut one = replies(false);
        let other = Request::new(KIND, 0, &[1; 4]).bytes(MINE + 1);
        let refused = Request::new(ERROR, 0, &[&(-101_i32).to_ne_bytes()[..], &[0; HEADER]].concat());
        assert!(!one.take(&[other, refused.bytes(0)].concat()).unwrap());
        assert!(one.take(&message(KIND, &[2; 4])).unwrap());
        assert_eq!(one.into_found(), [[2; 4]]);
    }

    #[test]
    fn an_error_of_the_kernel_is_its_number() {
        assert_eq!(refused(replies(false).take(&error(-libc::ENETUNREACH))), Errno::NETUNREACH);
        assert_eq!(refused(replies(true).take(&error(-libc::ENOENT))), Errno::NOENT);
    }

    #[test]
    fn an_error_without_a_valid_number_is_malformed() {
        for number in [0, 1, -4096, i32::MIN, i32::MAX] {
            let reason = failure(replies(false).take(&error(number)));
            assert!(reason.starts_with("malformed reply"), "{reason}");
        }
        for body in [&[][..], &[0x9b, 0xff, 0xff], &(-101_i32).to_ne_bytes()] {
            failure(replies(false).take(&Request::new(ERROR, 0, body).bytes(MINE)));
        }
    }

    #[test]
    fn a_list_that_the_kernel_could_not_make_is_not_taken_for_an_empty_one() {
        assert!(replies(true).take(&message(DONE, &0_i32.to_ne_bytes())).unwrap());
        assert!(replies(true).take(&message(DONE, &[])).unwrap());
        assert_eq!(refused(replies(true).take(&message(DONE, &(-2_i32).to_ne_bytes()))), Errno::NOENT);
        failure(replies(true).take(&message(DONE, &i32::MIN.to_ne_bytes())));
    }

    #[test]
    fn an_incomplete_reply_is_no_answer() {
        assert!(failure(replies(true).take(&message(OVERRUN, &[]))).contains("lost"));
        let interrupted = Request::new(DONE, INTERRUPTED, &[0; 4]).bytes(MINE);
        assert!(failure(replies(true).take(&interrupted)).contains("changed"));
    }

    #[test]
    fn a_message_of_another_kind_is_no_answer() {
        failure(replies(false).take(&message(KIND + 1, &[0; 4])));
        // A list was not asked for.
        failure(replies(false).take(&message(DONE, &[0; 4])));
        assert!(!replies(false).take(&message(NOTHING, &[])).unwrap());
    }

    #[test]
    fn a_no_is_only_what_the_question_lists() {
        let no = |errno| NoAnswer::Refused(errno).outcome::<u8>(&[Errno::NETUNREACH]);
        assert!(matches!(no(Errno::NETUNREACH), Outcome::No(Errno::NETUNREACH)));
        let Outcome::Failed(reason) = no(Errno::PERM) else { panic!("a refusal is no answer") };
        assert_eq!(reason.raw_os_error(), Some(libc::EPERM));
        // The same number from a system call proves nothing about what was asked.
        let down = NoAnswer::Failed(Errno::NETUNREACH.into());
        assert!(matches!(down.outcome::<u8>(&[Errno::NETUNREACH]), Outcome::Failed(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
            is_list: bool,
        ) {
            let mut replies = replies(is_list);
            for datagram in &datagrams {
                let _ = replies.take(datagram);
            }
            let taken: usize = replies.into_found().iter().map(|body| HEADER + body.len()).sum();
            prop_assert!(taken <= datagrams.iter().map(Vec::len).sum());
        }

        #[test]
        fn a_reply_with_damaged_bytes_is_taken_without_a_panic(
            parts in prop::collection::vec((0..6_u16, prop::collection::vec(any::<u8>(), 0..40)), 1..5),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            is_list: bool,
        ) {
            let kinds = [NOTHING, ERROR, DONE, OVERRUN, KIND, KIND];
            let mut datagram: Vec<u8> =
                parts.iter().flat_map(|(kind, body)| message(kinds[usize::from(*kind)], body)).collect();
            for (at, byte) in damage {
                let at = at.index(datagram.len());
                datagram[at] = byte;
            }
            let mut replies = replies(is_list);
            let _ = replies.take(&datagram);
            prop_assert!(replies.into_found().len() <= datagram.len() / HEADER);
        }
    }
}
