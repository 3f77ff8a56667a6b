//! A send of two parts, as sendmsg(2) wants it described.

const PARTS: usize = 2;

/// Points into itself, hence the box, and to both parts, which must outlive it: see `Ring::sends`.
pub(super) struct Message {
    pub(super) header: libc::msghdr,
    parts: [libc::iovec; PARTS],
}

impl Message {
    pub(super) fn new(held: &[u8], input: &[u8]) -> Box<Self> {
        let part =
            |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: a msghdr of zeroes is a valid one: no address, no parts, no control data.
        let header = unsafe { std::mem::zeroed() };
        let mut message = Box::new(Self { header, parts: [part(held), part(input)] });
        message.header.msg_iov = message.parts.as_mut_ptr();
        // musl counts in an int, glibc in a size_t.
        message.header.msg_iovlen = PARTS as _;
        message
    }
}
