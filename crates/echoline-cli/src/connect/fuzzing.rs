//! For the fuzz target `replies`: the receiver's way from bytes to a named difference, without a connection.

use std::num::NonZeroUsize;
use std::time::Instant;

use super::difference::{CONTEXT, Difference};
use super::round_trip::RoundTrips;
use super::window::{Position, Window};

/// The first byte is the size of the pieces in which all comes back, the second how many bytes are sent; those and
/// then what comes back follow.
///
/// # Panics
/// When the window or the difference is wrong.
pub fn differences(bytes: &[u8]) {
    let [piece, sent, rest @ ..] = bytes else { return };
    let (sent, received) = rest.split_at(rest.len().min((*sent).into()));
    let now = Instant::now();
    let (mut window, mut round_trips) =
        (Window::new(NonZeroUsize::new(256).expect("not zero")), RoundTrips::new());
    sent.chunks(7).for_each(|send| window.push(send, now));
    let mut same = 0;
    for piece in received.chunks(usize::from(*piece).max(1)) {
        let accepted = window.accept(piece, now, &mut round_trips);
        same += accepted;
        if accepted < piece.len() {
            break;
        }
    }
    let common = sent.iter().zip(received).take_while(|(sent, received)| sent == received).count();
    assert_eq!((same, window.len()), (common, sent.len() - common));
    assert_eq!(window.position(), Position::START.after(&sent[..common]));
    let received = &received[same..];
    let received = &received[..received.len().min(CONTEXT)];
    if !received.is_empty() {
        let named = Difference::name(window.position(), &window.peek(CONTEXT), received);
        let shown = named.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}
