//! The framer against a plain reference, for every segmentation of short inputs and random longer ones.

use proptest::prelude::*;

use super::*;

/// What came out of a framer, with the segmentation removed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Out {
    Line(Vec<u8>),
    OverLong(Vec<u8>),
    Tail(Vec<u8>),
}

/// The definition, as plainly as it can be put: split after each LF, then look at the lengths.
fn reference(stream: &[u8], max_line: usize) -> Vec<Out> {
    let pieces = stream.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec);
    pieces
        .map(|piece| match (piece.ends_with(b"\n"), piece.len()) {
            (true, n) if n <= max_line => Out::Line(piece),
            (false, n) if n < max_line => Out::Tail(piece),
            _ => Out::OverLong(piece),
        })
        .collect()
}

/// Runs a framer over the segments as a server does: what is not taken waits in front of the next segment.
fn framed(segments: &[&[u8]], max_line: usize, mut batch: impl FnMut() -> bool) -> Vec<Out> {
    let mut framer = Framer::new(NonZeroUsize::new(max_line).unwrap());
    let mut out = Vec::new();
    let mut over_long = None::<Vec<u8>>;
    for segment in segments {
        let mut input = *segment;
        loop {
            let by_batch = batch();
            let cut = if by_batch { framer.next_batch(input) } else { framer.next_line(input) };
            let taken = match cut {
                Cut::Lines(n) => {
                    assert!(framer.held().is_empty());
                    out.extend(lines(&input[..n], by_batch));
                    n
                }
                Cut::HeldLines(n) => {
                    let mut bytes = framer.take_held();
                    bytes.extend_from_slice(&input[..n]);
                    out.extend(lines(&bytes, by_batch));
                    n
                }
                Cut::OverLong(n) => {
                    let piece = over_long.get_or_insert_default();
                    piece.extend(framer.take_held());
                    piece.extend_from_slice(&input[..n]);
                    assert_eq!(framer.in_over_long(), !piece.ends_with(b"\n"));
                    if !framer.in_over_long() {
                        out.extend(over_long.take().map(Out::OverLong));
                    }
                    n
                }
                Cut::Partial => {
                    assert!(framer.held().len() < max_line && framer.held.capacity() <= max_line);
                    break;
                }
            };
            assert!(taken > 0, "a cut takes something");
            input = &input[taken..];
        }
    }
    let in_over_long = framer.in_over_long();
    let tail = framer.finish();
    assert!(!in_over_long || tail.is_empty());
    out.extend(over_long.map(Out::OverLong));
    out.extend((!tail.is_empty()).then_some(Out::Tail(tail)));
    out
}

/// The lines of one cut. From `next_line` it must be exactly one.
fn lines(bytes: &[u8], by_batch: bool) -> Vec<Out> {
    assert!(bytes.ends_with(b"\n"));
    let lines: Vec<_> = bytes.split_inclusive(|&b| b == b'\n').map(|l| Out::Line(l.to_vec())).collect();
    assert!(by_batch || lines.len() == 1);
    assert_eq!(lines.len(), count_lines(bytes));
    lines
}

fn segments<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    ends.extend([0, stream.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

#[test]
fn every_split_of_every_short_input_gives_the_lines_of_the_reference() {
    const LONGEST: usize = 8;
    for length in 0..=LONGEST {
        for pattern in 0..1_u32 << length {
            let byte = |at| if pattern >> at & 1 == 1 { b'\n' } else { b'a' + u8::try_from(at).unwrap() };
            let stream: Vec<u8> = (0..length).map(byte).collect();
            for split in 0..1_usize << length.saturating_sub(1) {
                let cuts: Vec<usize> = (1..length).filter(|at| split >> (at - 1) & 1 == 1).collect();
                let segments = segments(&stream, &cuts);
                for max_line in [1, 2, 3, 4, LONGEST, LONGEST + 1] {
                    let expected = reference(&stream, max_line);
                    assert_eq!(
                        framed(&segments, max_line, || false),
                        expected,
                        "{segments:?} {max_line} line"
                    );
                    assert_eq!(
                        framed(&segments, max_line, || true),
                        expected,
                        "{segments:?} {max_line} batch"
                    );
                }
            }
        }
    }
}

#[test]
fn a_line_of_exactly_the_limit_is_a_line_and_one_byte_more_is_not() {
    let limit = 1000;
    for (content, expect_line) in [(limit - 2, true), (limit - 1, true), (limit, false)] {
        let mut stream = b"short\n".to_vec();
        stream.extend(std::iter::repeat_n(b'x', content));
        stream.extend(b"\nshort\n");
        for cut in 0..stream.len() {
            let out = framed(&segments(&stream, &[cut]), limit, || true);
            assert_eq!(out.len(), 3);
            assert_eq!(matches!(out[1], Out::Line(_)), expect_line, "{content} bytes, cut at {cut}");
        }
    }
}

#[test]
fn bytes_other_than_lf_are_data() {
    let stream = b"\r\n\r\r\n\0\n\xff\xfe\x0b\x0c\xe2\x80\xa8\n\n\x1b";
    assert_eq!(framed(&[stream], 100, || true), reference(stream, 100));
}

#[test]
fn a_batch_stops_before_a_line_above_the_limit() {
    let mut framer = Framer::new(NonZeroUsize::new(4).unwrap());
    let input = b"ab\ncd\nefghi\nj\n";
    assert_eq!(framer.next_batch(input), Cut::Lines(6));
    assert_eq!(framer.next_batch(&input[6..]), Cut::OverLong(6));
    assert_eq!(framer.next_batch(&input[12..]), Cut::Lines(2));
}

#[test]
fn a_batch_takes_every_whole_line_within_the_limit() {
    // The first window of five bytes ends before the second line does.
    let mut framer = Framer::new(NonZeroUsize::new(5).unwrap());
    assert_eq!(framer.next_batch(b"a\nbcd\n"), Cut::Lines(6));
}

#[test]
fn a_released_line_goes_on_as_an_over_long_one_and_the_next_is_held_again() {
    let mut framer = Framer::new(DEFAULT_MAX_LINE);
    assert_eq!((framer.release(), framer.in_over_long()), (Vec::new(), false));
    assert_eq!(framer.next_batch(b"so f"), Cut::Partial);
    assert_eq!(framer.held(), b"so f");
    assert_eq!((framer.release(), framer.in_over_long()), (b"so f".to_vec(), true));
    assert_eq!((framer.held(), framer.held_memory()), (&b""[..], 0));
    // Nothing is held, and so there is nothing to release: the line still goes on.
    assert_eq!((framer.release(), framer.in_over_long()), (Vec::new(), true));
    assert_eq!(framer.next_batch(b"ar\nnext"), Cut::OverLong(3));
    assert_eq!(framer.next_batch(b"next"), Cut::Partial);
    assert_eq!(framer.finish(), b"next");
}

#[test]
fn bytes_that_are_not_offered_again_are_forgotten() {
    let mut framer = Framer::new(NonZeroUsize::new(8).unwrap());
    assert_eq!(framer.next_batch(b"a\nbcdef"), Cut::Lines(2));
    assert_eq!(framer.window(b"bcdef", 0), (5, &b"bcdef"[..]), "not looked at again");
    assert_eq!(framer.window(b"x\ny", 0), (0, &b"x\ny"[..]), "fewer than were known");
    assert_eq!(framer.next_batch(b"x\ny"), Cut::Lines(2));
}

#[test]
fn held_memory_grows_by_doubling_and_only_when_it_has_to() {
    let mut framer = Framer::new(DEFAULT_MAX_LINE);
    let mut sizes = vec![framer.held_memory()];
    for _ in 0..60_000 {
        assert_eq!(framer.next_batch(b"x"), Cut::Partial);
        sizes.extend(Some(framer.held_memory()).filter(|size| sizes.last() != Some(size)));
        assert!(framer.held_memory() <= FIRST_HELD.max(2 * framer.held().len() - 2));
    }
    assert_eq!(sizes, [0, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]);
}

#[test]
fn held_memory_goes_with_the_bytes() {
    let mut framer = Framer::new(DEFAULT_MAX_LINE);
    assert_eq!(framer.next_batch(&[b'x'; 60_000]), Cut::Partial);
    assert_eq!(framer.next_batch(b"\n"), Cut::HeldLines(1));
    assert_eq!(framer.take_held().len(), 60_000);
    assert_eq!(framer.held.capacity(), 0);
}

#[test]
fn a_line_that_comes_byte_by_byte_never_holds_more_memory_than_the_limit() {
    let mut framer = Framer::new(NonZeroUsize::new(700).unwrap());
    for _ in 0..699 {
        assert_eq!(framer.next_batch(b"x"), Cut::Partial);
        assert!(framer.held.capacity() <= 700);
    }
    assert_eq!(framer.next_batch(b"x"), Cut::OverLong(1));
    assert_eq!(framer.take_held().len(), 699);
}

#[test]
fn the_tail_behind_a_batch_is_not_looked_at_again() {
    let mut framer = Framer::new(NonZeroUsize::new(8).unwrap());
    let input = b"a\nbcd";
    assert_eq!(framer.next_batch(input), Cut::Lines(2));
    assert_eq!(framer.clear, 3);
    assert_eq!(framer.next_batch(&input[2..]), Cut::Partial);
    // The window of an over-long line is clear, too.
    let mut framer = Framer::new(NonZeroUsize::new(8).unwrap());
    assert_eq!(framer.next_batch(b"a\n123456789"), Cut::Lines(2));
    assert_eq!(framer.clear, 8);
    assert_eq!(framer.next_batch(b"123456789"), Cut::OverLong(9));
}

#[test]
#[should_panic = "were not taken"]
fn forgetting_the_held_bytes_of_an_over_long_line_is_caught() {
    let mut framer = Framer::new(NonZeroUsize::new(2).unwrap());
    let _ = framer.next_line(b"a");
    let _ = framer.next_line(b"bc");
    let _ = framer.next_line(b"d");
}

#[test]
#[should_panic = "were not taken"]
fn forgetting_the_held_bytes_is_caught() {
    let mut framer = Framer::new(DEFAULT_MAX_LINE);
    let _ = framer.next_line(b"a");
    let _ = framer.next_line(b"\n");
    let _ = framer.next_line(b"b\n");
}

proptest! {
    #[test]
    fn any_stream_in_any_segmentation_gives_the_lines_of_the_reference(
        stream in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..600),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        max_line in prop_oneof![1_usize..40, 590_usize..610],
        choices in prop::collection::vec(any::<bool>(), 1..50),
    ) {
        let mut choices = choices.iter().cycle();
        let out = framed(&segments(&stream, &cuts), max_line, || *choices.next().unwrap());
        prop_assert_eq!(out, reference(&stream, max_line));
    }
}
