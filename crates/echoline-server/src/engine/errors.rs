//! What each operation can answer besides success, by the manual page of its call, and what that is to mean.

use rustix::io::Errno;

use crate::stats::Ending;

/// The operations of the ring's seam; those that go on differently afterwards stand apart. The portable engine knows
/// `ReceiveBulk`, `SendNow`, `AcceptQueued` and `ShutOutput`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    ReceiveStream,
    ReceiveBulk,
    SendNow,
    SendWait,
    AcceptMany,
    AcceptOnce,
    AcceptQueued,
    Cancel,
    ShutOutput,
    Enter,
}

/// recv(2); ECONNRESET, ETIMEDOUT and EPIPE by tcp(7), unreachable peers by ip(7), ECONNABORTED by `ss --kill`;
/// no buffer by `io_uring_prep_recv_multishot(3)`; a forbidden or unknown request by `io_uring_enter(2)`.
const RECEIVE: &[Errno] = &[
    Errno::AGAIN,
    Errno::BADF,
    Errno::CONNREFUSED,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::NOMEM,
    Errno::NOTCONN,
    Errno::NOTSOCK,
    Errno::CONNRESET,
    Errno::TIMEDOUT,
    Errno::PIPE,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::CONNABORTED,
    Errno::NOBUFS,
    Errno::ACCESS,
    Errno::OPNOTSUPP,
    Errno::CANCELED,
];

/// send(2), with what tcp(7), ip(7) and `ss --kill` add, and EPERM by a firewall; without ECANCELED, since a send
/// that does not wait is never cancelled.
const SEND_NOW: &[Errno] = &[
    Errno::ACCESS,
    Errno::AGAIN,
    Errno::ALREADY,
    Errno::BADF,
    Errno::CONNRESET,
    Errno::DESTADDRREQ,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::ISCONN,
    Errno::MSGSIZE,
    Errno::NOBUFS,
    Errno::NOMEM,
    Errno::NOTCONN,
    Errno::NOTSOCK,
    Errno::OPNOTSUPP,
    Errno::PIPE,
    Errno::TIMEDOUT,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::CONNABORTED,
    Errno::CONNREFUSED,
    Errno::PERM,
];

/// accept(2), with the errors of the network that Linux passes on; ENOTCONN by getpeername(2), which follows each
/// accept; a forbidden request by `io_uring_enter(2)`. Without EAGAIN and ECANCELED.
const ACCEPT: &[Errno] = &[
    Errno::BADF,
    Errno::CONNABORTED,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOBUFS,
    Errno::NOMEM,
    Errno::NOTSOCK,
    Errno::OPNOTSUPP,
    Errno::PERM,
    Errno::PROTO,
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::NOSR,
    Errno::SOCKTNOSUPPORT,
    Errno::PROTONOSUPPORT,
    Errno::TIMEDOUT,
    Errno::NOTCONN,
    Errno::ACCESS,
];

/// `io_uring_prep_cancel(3)`: nothing found; too late; not done at all. The request completes by itself each time.
const CANCEL: &[Errno] = &[Errno::NOENT, Errno::ALREADY, Errno::INVAL];

/// shutdown(2).
const SHUT_OUTPUT: &[Errno] = &[Errno::BADF, Errno::INVAL, Errno::NOTCONN, Errno::NOTSOCK];

/// `io_uring_enter(2)`: what passes.
const ENTER: &[Errno] = &[Errno::AGAIN, Errno::BUSY, Errno::INTR, Errno::TIME];

/// `io_uring_enter(2)`: what stays, and so ends the worker.
pub(crate) const ENTER_FOR_EVER: &[Errno] = &[
    Errno::BADF,
    Errno::BADFD,
    Errno::BADR,
    Errno::EXIST,
    Errno::FAULT,
    Errno::INVAL,
    Errno::NXIO,
    Errno::OPNOTSUPP,
    Errno::OWNERDEAD,
];

/// Every error that an operation may answer with.
pub(crate) fn of(operation: Operation) -> Vec<Errno> {
    let (empty, cancelled) = (&[Errno::AGAIN][..], &[Errno::CANCELED][..]);
    match operation {
        Operation::ReceiveStream | Operation::ReceiveBulk => RECEIVE.to_vec(),
        Operation::SendNow => SEND_NOW.to_vec(),
        Operation::SendWait => [SEND_NOW, cancelled].concat(),
        Operation::AcceptMany | Operation::AcceptOnce => [ACCEPT, empty, cancelled].concat(),
        Operation::AcceptQueued => [ACCEPT, empty].concat(),
        Operation::Cancel => CANCEL.to_vec(),
        Operation::ShutOutput => SHUT_OUTPUT.to_vec(),
        Operation::Enter => ENTER.to_vec(),
    }
}

/// Every answer that the simulation has to show.
pub(crate) fn all() -> Vec<(Operation, Errno)> {
    use Operation::{
        AcceptMany, AcceptOnce, AcceptQueued, Cancel, Enter, ReceiveBulk, ReceiveStream, SendNow, SendWait,
        ShutOutput,
    };
    [
        ReceiveStream,
        ReceiveBulk,
        SendNow,
        SendWait,
        AcceptMany,
        AcceptOnce,
        AcceptQueued,
        Cancel,
        ShutOutput,
        Enter,
    ]
    .into_iter()
    .flat_map(|operation| of(operation).into_iter().map(move |errno| (operation, errno)))
    .collect()
}

/// How a connection ends on which this was the first answer of its kind; `None` goes on.
pub(crate) fn ending(operation: Operation, errno: Errno) -> Option<Ending> {
    match (operation, errno) {
        (_, Errno::AGAIN | Errno::INTR | Errno::CANCELED) => None,
        (Operation::ReceiveStream | Operation::ReceiveBulk, Errno::NOBUFS) => None,
        (_, Errno::TIMEDOUT | Errno::HOSTUNREACH | Errno::NETUNREACH) => Some(Ending::Lost),
        _ => Some(Ending::Reset),
    }
}

/// Does a listener that is told so never accept again?
pub(crate) fn breaks_a_listener(errno: Errno) -> bool {
    matches!(errno, Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT)
}
