//! What is concluded from a conversation, by findings written down by hand.

use echoline_diagnosis::foreign;

use super::*;

fn after(result: Answer) -> Diagnosis {
    verdict(&talked(conversation(vec![exchange(What::Line, result)])))
}

#[test]
fn each_way_in_which_an_echo_fails_has_its_code() {
    expect(
        &after(Answer::Silent { acknowledged: Some(false) }),
        DATA_LOST,
        Likely,
        &["does not acknowledge"],
    );
    expect(&after(Answer::Silent { acknowledged: Some(true) }), NO_REPLY, Likely, &["did not reply"]);
    expect(&after(Answer::Silent { acknowledged: None }), NO_REPLY, Likely, &[]);
    let part =
        Exchange { got_bytes: 16, ..exchange(What::Line, Answer::Silent { acknowledged: Some(true) }) };
    let judged = verdict(&talked(conversation(vec![part])));
    expect(&judged, NO_REPLY, Likely, &["sent back only 16 of the 24 bytes of a line"]);
    expect(&after(Answer::Closed), CLOSED_EARLY, Certain, &["closed the connection"]);
    expect(&after(Answer::Reset), RESET, Certain, &["does not prove who sent it"]);
    expect(&after(Answer::LineEndings), ALTERED, Certain, &["line endings"]);
    expect(&after(Answer::Altered { at: 2 }), ALTERED, Certain, &["from byte 3 on"]);
    expect(&after(Answer::Different), NOT_ECHO, Certain, &["no echo service"]);
}

#[test]
fn bytes_that_nobody_sent_are_told_from_bytes_that_changed_and_a_protocol_is_named() {
    expect(
        &after(Answer::Added { at: 24, bytes: 24 }),
        ADDED,
        Certain,
        &["24 bytes that nobody sent", "behind it"],
    );
    expect(&after(Answer::Added { at: 0, bytes: 1 }), ADDED, Certain, &["whole, with 1 byte", "before it"]);
    expect(&after(Answer::Added { at: 8, bytes: 2 }), ADDED, Certain, &["the first at byte 9."]);
    let greets = |what, result| {
        let recognised = Some("SMTP".into());
        verdict(&talked(Conversation { recognised, ..conversation(vec![exchange(what, result)]) }))
    };
    for (what, result) in [
        (What::Line, Answer::Added { at: 0, bytes: 30 }),
        (What::LongLine, Answer::Added { at: 0, bytes: 30 }),
        (What::Line, Answer::Altered { at: 0 }),
    ] {
        expect(&greets(what, result), NOT_ECHO, Certain, &["no echo service. It speaks SMTP."]);
    }
    // What has echoed a line is none of that protocol.
    expect(&greets(What::LongLine, Answer::Altered { at: 0 }), ALTERED, Certain, &["differs from byte 1 on"]);
}

fn whoami(reached_echo: Option<bool>, problem: Option<&str>) -> Whoami {
    Whoami {
        address: HOST.parse().unwrap(),
        sent_from: None,
        seen_as: None,
        instance: None,
        connection: None,
        instances: usize::from(problem.is_none()),
        reached_echo,
        problem: problem.map(foreign),
        took_us: 9,
    }
}

#[test]
fn what_the_other_end_was_asked_and_did_not_say_stands_in_the_sentence() {
    let echoed = || talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    let said = |findings: Findings| {
        let judged = verdict(&findings);
        assert_eq!(judged.code(), OK);
        judged.to_string()
    };
    let failed = Findings { whoami: Some(whoami(None, Some("it is mute"))), ..echoed() };
    assert!(said(failed).ends_with("But asking whoami failed: it is mute."));
    let backends = |problem: Option<&str>| Findings {
        whoami: Some(whoami(Some(true), None)),
        backends: Some(Backends {
            asked: 9,
            order: vec!["a".to_owned()],
            source_kept: 0,
            problem: problem.map(foreign),
            took_us: 9,
        }),
        ..echoed()
    };
    assert!(
        said(backends(Some("it left"))).ends_with("of 9 connections to whoami 1 were answered: it left.")
    );
    assert!(!said(backends(None)).contains("whoami"));
}

#[test]
fn with_word_from_the_other_end_a_lost_request_and_a_lost_reply_are_told_apart() {
    let after = |got_bytes, reached_echo| {
        let silent = Answer::Silent { acknowledged: Some(true) };
        let silent = Exchange { got_bytes, ..exchange(What::Line, silent) };
        let whoami = Some(whoami(reached_echo, None));
        verdict(&Findings { whoami, ..talked(conversation(vec![silent])) })
    };
    let lost = |reached_echo| after(0, reached_echo);
    // Where a part of it came back, the way back is not broken.
    expect(&after(16, Some(true)), NO_REPLY, Likely, &["only 16 of the 24 bytes"]);
    expect(&lost(Some(true)), REPLY_LOST, Certain, &["got our line"]);
    expect(&lost(Some(false)), REQUEST_LOST, Likely, &["never got our line"]);
    expect(&lost(None), NO_REPLY, Likely, &["did not reply"]);
}

#[test]
fn after_an_identical_line_a_later_failure_says_so() {
    let later = |what, result| {
        let exchanges = vec![exchange(What::Line, Answer::Identical), exchange(what, result)];
        verdict(&talked(conversation(exchanges)))
    };
    let lost = later(What::LongLine, Answer::Silent { acknowledged: Some(false) });
    expect(&lost, DATA_LOST, Likely, &["Small packets pass", "MTU"]);
    let altered = later(What::BinaryLine, Answer::Altered { at: 128 });
    expect(&altered, ALTERED, Certain, &["A short line came back", "byte 129"]);
    let converted =
        Exchange { line_ends: Some(LineEnds::CrLfToLf), ..exchange(What::CrLf, Answer::LineEndings) };
    let judged = verdict(&talked(conversation(vec![exchange(What::Line, Answer::Identical), converted])));
    expect(&judged, ALTERED, Certain, &["line that ends with CR LF came back with LF in place of CR LF"]);
}

#[test]
fn of_an_unfinished_line_at_the_end_it_is_said_whether_it_came_back_and_what_did_not_happen_then() {
    let silent = Answer::Silent { acknowledged: Some(true) };
    let ended = |result, got_bytes| {
        let tail = Exchange { got_bytes, took_us: 1_000_000, ..exchange(What::HalfClose, result) };
        verdict(&talked(conversation(vec![exchange(What::Line, Answer::Identical), tail])))
    };
    for (result, got_bytes, words) in [
        (Answer::Closed, 0, "did not come back: a client that finishes first loses its tail"),
        (Answer::Closed, 9, "did not come back: a client that finishes first loses its tail"),
        (silent, 9, "did not come back in 1.0 s: a client that finishes first may lose its tail"),
        (silent, 24, "unfinished line at the end too. But it did not end its output in 1.0 s"),
        (Answer::Reset, 24, "unfinished line at the end too. But then it reset the connection"),
        (Answer::Reset, 0, "did not come back, and the connection was reset"),
    ] {
        let judged = ended(result, got_bytes);
        assert_eq!(judged.code(), OK, "{judged:?}");
        assert!(judged.to_string().contains(words), "{words}: {judged:?}");
    }
    expect(
        &ended(Answer::Added { at: 24, bytes: 4 }, 28),
        ADDED,
        Certain,
        &["with 4 bytes that nobody sent"],
    );
    expect(
        &ended(Answer::Altered { at: 0 }, 24),
        ALTERED,
        Certain,
        &["an unfinished line at the end differs"],
    );
}

#[test]
fn a_connection_that_is_all_that_was_expected_is_fine_unless_it_ends_at_once() {
    let connected = |broke, greeting: Option<&str>| {
        let mut findings = talked(Conversation {
            broke,
            greeting: greeting.map(str::to_owned),
            recognised: greeting.map(|_| "SSH".into()),
            ..conversation(Vec::new())
        });
        findings.target.expect = Expect::Connect;
        verdict(&findings)
    };
    assert_eq!(connected(None, None).code(), OK);
    assert!(connected(None, Some("SSH-2.0-x")).to_string().contains("It speaks SSH"));
    // Some services say one thing and end: daytime, qotd.
    assert_eq!(connected(Some(Broke::Closed), Some("x")).code(), OK);
    expect(&connected(Some(Broke::Closed), None), CLOSED_EARLY, Certain, &["closed it at once"]);
    expect(&connected(Some(Broke::Reset), None), RESET, Certain, &["does not prove"]);
}

#[test]
fn instances_are_counted_and_changes_between_them_are_not_stickiness() {
    let backends = |order: &[&str]| Backends {
        asked: 9,
        order: order.iter().map(|instance| (*instance).to_owned()).collect(),
        source_kept: 0,
        problem: None,
        took_us: 9,
    };
    let sticky = backends(&["a", "b", "b", "b"]);
    assert_eq!((sticky.counts(), sticky.changes()), (vec![("b", 3), ("a", 1)], 1));
    assert_eq!(backends(&["a", "b", "a", "b"]).changes(), 3);
    assert_eq!((backends(&[]).counts(), backends(&[]).changes()), (vec![], 0));
}
