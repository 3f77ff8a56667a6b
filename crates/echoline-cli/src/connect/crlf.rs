//! `-C`: lines leave with CRLF, as many text protocols want them.

use memchr::memchr_iter;

/// Puts a CR before each LF that has none, however the text is cut into pieces.
#[derive(Debug, Default)]
pub(super) struct Crlf {
    after_cr: bool,
    converted: Vec<u8>,
}

impl Crlf {
    /// The next piece of the text, converted. At most twice as long as `piece`.
    pub(super) fn convert(&mut self, piece: &[u8]) -> &[u8] {
        self.converted.clear();
        let mut copied = 0;
        for lf in memchr_iter(b'\n', piece) {
            let after_cr = if lf == 0 { self.after_cr } else { piece[lf - 1] == b'\r' };
            if !after_cr {
                self.converted.extend_from_slice(&piece[copied..lf]);
                self.converted.push(b'\r');
                copied = lf;
            }
        }
        self.converted.extend_from_slice(&piece[copied..]);
        if let Some(&last) = piece.last() {
            self.after_cr = last == b'\r';
        }
        &self.converted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_feed_gets_its_carriage_return_once() {
        assert_eq!(Crlf::default().convert(b"a\nb\r\n\n\rc"), b"a\r\nb\r\n\r\n\rc");
    }

    proptest! {
        #[test]
        fn how_the_text_is_cut_makes_no_difference(
            text in prop::collection::vec(prop::sample::select(b"a\r\n".to_vec()), 0..60),
            cuts in prop::collection::vec(0..8_usize, 1..20),
        ) {
            let whole = Crlf::default().convert(&text).to_vec();
            let (mut crlf, mut pieces, mut rest) = (Crlf::default(), Vec::new(), &text[..]);
            for cut in cuts {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                pieces.extend_from_slice(crlf.convert(piece));
                rest = later;
            }
            pieces.extend_from_slice(crlf.convert(rest));
            prop_assert_eq!(pieces, whole);
        }
    }
}
