//! What became of a question to the kernel.

use std::io;

use rustix::io::Errno;

/// What became of a question to the kernel.
///
/// A failed question is never taken for a "no": [`Outcome::No`] proves something about what was
/// asked, [`Outcome::Failed`] proves nothing.
#[must_use]
#[derive(Debug)]
pub enum Outcome<T> {
    /// The kernel's answer.
    Answer(T),
    /// The kernel's definite no. Each function lists the error numbers that count as one.
    No(Errno),
    /// The question was not answered, and why. [`io::Error::raw_os_error`] is the error number if a
    /// system call failed or the kernel refused to answer. [`io::ErrorKind::InvalidData`] means a
    /// malformed reply, [`io::ErrorKind::TimedOut`] no reply in time.
    Failed(io::Error),
}

impl<T> Outcome<T> {
    /// Changes the answer and leaves the rest as it is.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Answer(answer) => Outcome::Answer(change(answer)),
            Self::No(errno) => Outcome::No(errno),
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }

    /// The answer alone. This folds a no and a failure into `None`.
    #[must_use]
    pub fn answer(self) -> Option<T> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::No(_) | Self::Failed(_) => None,
        }
    }

    /// The answer, or an error to show. This folds a no and a failure into one type.
    ///
    /// # Errors
    /// A no as the error with its number, or the reason of the failure.
    pub fn into_result(self) -> io::Result<T> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::No(errno) => Err(errno.into()),
            Self::Failed(reason) => Err(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_becomes_a_value() {
        assert_eq!(Outcome::Answer(7).map(|it| it + 1).answer(), Some(8));
        assert_eq!(Outcome::<u8>::No(Errno::NETUNREACH).answer(), None);
        assert_eq!(Outcome::<u8>::Failed(io::ErrorKind::TimedOut.into()).answer(), None);
    }

    #[test]
    fn a_no_becomes_the_error_of_its_number_and_a_failure_keeps_its_reason() {
        let no = Outcome::<u8>::No(Errno::NETUNREACH).map(u16::from).into_result().unwrap_err();
        assert_eq!(no.raw_os_error(), Some(libc::ENETUNREACH));
        let failed = Outcome::<u8>::Failed(io::ErrorKind::TimedOut.into()).map(u16::from);
        assert_eq!(failed.into_result().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(Outcome::Answer(7).into_result().unwrap(), 7);
    }
}
