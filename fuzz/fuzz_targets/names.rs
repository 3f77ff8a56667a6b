//! Any message to the lab's name server: an answer of a size that fits, to that question, or none. No answer is an
//! answer to an answer: two servers would talk for ever.
//!
//! The top bit of the first byte, which is part of the message's number, chooses TCP.

#![no_main]

use echoline_lab::fuzzing::answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let over_tcp = message.first().is_some_and(|byte| byte & 0x80 != 0);
    let Some(reply) = answer(message, over_tcp) else { return };
    assert!(reply.len() <= if over_tcp { 65_535 } else { 512 }, "{} bytes", reply.len());
    assert_eq!(reply[..2], message[..2], "the number of the question");
    assert_ne!(reply[2] & 0x80, 0, "it is an answer");
    assert_eq!(answer(&reply, over_tcp), None);
    let questions = usize::from(u16::from_be_bytes([reply[4], reply[5]]));
    let answers = usize::from(u16::from_be_bytes([reply[6], reply[7]]));
    assert!(questions <= 1 && answers <= questions * 200);
    if questions == 1 {
        let mut end = 12;
        while message[end] != 0 {
            end += 1 + usize::from(message[end]);
        }
        assert_eq!(reply[12..end + 5], message[12..end + 5], "the question is repeated");
        assert!(reply.len() >= end + 5 + 12 * answers);
    }
});
