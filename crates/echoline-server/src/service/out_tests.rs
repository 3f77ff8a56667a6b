//! What a service puts into `Out`, and the sends that come of it.

use super::*;

const INPUT: &[u8] = b"0123456789";

/// What a service does with an input, and the bytes of the sends that follow, each taken whole.
fn sends(direct: bool, serve: impl FnOnce(&mut Out<'_>)) -> Vec<Vec<u8>> {
    let mut output = Output::new(100);
    let mut out = Out::new(&mut output, INPUT, direct);
    serve(&mut out);
    let (mut range, _) = out.into_parts();
    let mut sends = Vec::new();
    while let Some(batch) = output.take_batch(mem::take(&mut range), INPUT) {
        sends.push([&batch.held[..], &INPUT[batch.input]].concat());
    }
    sends
}

#[test]
fn what_is_put_first_leaves_first_with_and_without_a_copy() {
    for direct in [true, false] {
        let one = sends(direct, |out| {
            out.echo(1..3);
            out.echo(3..4);
            out.echo(6..8);
            out.write(b"own");
            out.echo(0..1);
            out.write_vec(b"vec".to_vec());
            out.echo(9..10);
        });
        assert_eq!(one, [b"12367own0vec9".to_vec()]);
    }
}

#[test]
fn an_echo_alone_is_sent_from_where_it_stands() {
    let mut output = Output::new(100);
    let mut out = Out::new(&mut output, INPUT, true);
    out.echo(2..5);
    out.echo(5..9);
    let (direct, tally) = out.into_parts();
    assert_eq!((direct, tally, output.len()), (2..9, Tally::default(), 0));
}

#[test]
fn an_echo_of_nothing_refers_to_no_input() {
    let mut output = Output::new(100);
    let mut out = Out::new(&mut output, INPUT, true);
    out.write(b"own");
    out.echo(10..10);
    let (direct, _) = out.into_parts();
    assert_eq!(direct, 0..0, "a buffer that is not sent from may be gone when the rest of a send comes back");
}

#[test]
fn bytes_of_the_services_own_are_not_copied_where_nothing_waits_before_them() {
    let mut output = Output::new(100);
    let own = b"a line".to_vec();
    let place = own.as_ptr();
    Out::new(&mut output, &[], false).write_vec(own);
    let batch = output.take_batch(0..0, &[]).expect("a line");
    assert_eq!((batch.held.as_ptr(), &batch.held[..]), (place, &b"a line"[..]));
}

#[test]
fn a_boundary_ends_a_send_and_one_that_ends_nothing_does_nothing() {
    for direct in [true, false] {
        let several = sends(direct, |out| {
            out.boundary();
            out.echo(0..2);
            out.boundary();
            out.boundary();
            out.write(b"own");
            out.boundary();
            out.echo(2..4);
        });
        assert_eq!(several, [b"01".to_vec(), b"own".to_vec(), b"23".to_vec()]);
    }
}

#[test]
fn a_boundary_behind_the_send_that_is_out_holds_when_its_rest_comes_back() {
    let mut output = Output::new(100);
    Out::new(&mut output, &[], false).write(b"abc");
    let batch = output.take_batch(0..0, &[]).expect("a send");
    let mut out = Out::new(&mut output, &[], false);
    out.boundary();
    out.write(b"def");
    output.put_back(batch.held, 1, &[]);
    assert_eq!(output.take_batch(0..0, &[]).map(|batch| batch.held), Some(b"bc".to_vec()));
    assert_eq!(output.take_batch(0..0, &[]).map(|batch| batch.held), Some(b"def".to_vec()));
}

#[test]
fn what_comes_back_goes_before_what_came_after_it_wherever_the_send_was_cut() {
    for sent in 0..=6 {
        let mut output = Output::new(100);
        let mut out = Out::new(&mut output, INPUT, true);
        out.write(b"own");
        out.echo(4..7);
        let (direct, _) = out.into_parts();
        let batch = output.take_batch(direct, INPUT).expect("a send");
        assert_eq!((batch.len(), output.is_empty()), (6, true));
        let mut out = Out::new(&mut output, &[], false);
        out.write(b"later");
        out.boundary();
        out.write(b"last");
        output.put_back(batch.held, sent, &INPUT[batch.input]);
        assert!(output.capacity() <= output.len() + sent, "no more than it needs");
        let first = output.take_batch(0..0, &[]).expect("the rest");
        assert_eq!(first.held, [&b"own456"[sent..], b"later"].concat());
        assert_eq!(output.take_batch(0..0, &[]).map(|batch| batch.held), Some(b"last".to_vec()));
        assert!(output.is_empty() && output.take_batch(0..0, &[]).is_none());
    }
}

#[test]
fn output_is_full_from_its_cap_on() {
    let mut output = Output::new(3);
    let mut out = Out::new(&mut output, &[], false);
    out.write(b"ab");
    assert!(!out.is_full());
    out.write(b"c");
    assert!(out.is_full());
}

#[test]
fn output_that_grows_in_small_pieces_has_little_to_spare() {
    let mut output = Output::new(usize::MAX);
    let mut capacities = std::collections::BTreeSet::new();
    for _ in 0..100_000 {
        Out::new(&mut output, &[], false).write(b"a");
        assert!(output.capacity() - output.len() <= output.len().min(8 * 1024));
        capacities.insert(output.capacity());
    }
    // Doubled up to 8 KiB, and then so much more each time.
    assert!(capacities.len() <= 14 + 100_000 / 8192, "{} times the whole was copied", capacities.len());
}

#[test]
fn a_job_is_taken_once_and_there_is_none_beside_it() {
    let mut output = Output::new(10);
    assert!(output.take_job().is_none() && !output.is_computing());
    assert_eq!(format!("{:?}", output.job), "None");
    let mut out = Out::new(&mut output, &[], false);
    out.compute(|| b"result".to_vec());
    assert!(out.is_computing());
    assert_eq!(format!("{:?}", output.job), "Begun");
    assert_eq!(output.take_job().map(|job| job()), Some(b"result".to_vec()));
    assert!(output.take_job().is_none() && output.is_computing());
    assert_eq!(format!("{:?}", output.job), "UnderWay");
    output.job_done();
    assert!(!output.is_computing());
}

#[test]
#[should_panic = "one job at a time"]
fn a_second_job_is_a_defect() {
    let mut output = Output::new(10);
    let mut out = Out::new(&mut output, &[], false);
    out.compute(Vec::new);
    out.compute(Vec::new);
}

#[test]
#[should_panic = "echo of 8..11"]
fn an_echo_of_more_than_there_is_is_a_defect() {
    sends(true, |out| out.echo(8..11));
}

#[test]
#[should_panic = "echo of 4..3"]
#[expect(clippy::reversed_empty_ranges, reason = "the defect")]
fn an_echo_backwards_is_a_defect() {
    sends(true, |out| out.echo(4..3));
}

#[test]
fn the_first_reason_to_finish_stands() {
    let mut output = Output::new(10);
    let mut out = Out::new(&mut output, &[], false);
    assert!(!out.is_finished());
    out.finish();
    out.finish_as(Ending::LongLine);
    assert!(out.is_finished());
    assert_eq!(output.finished(), Some(Ending::Done));
}

#[test]
fn lines_are_counted() {
    let mut output = Output::new(10);
    let mut out = Out::new(&mut output, &[], false);
    out.count_lines(2);
    out.count_lines(3);
    out.count_long_line();
    assert_eq!(out.into_parts().1, Tally { lines: 5, long_lines: 1 });
}
