//! The rules, once for every size.

use std::fmt;

/// The fewest columns, and rows, that a board can have.
pub const MIN_EDGE: u8 = 4;
/// The most columns, and rows, that a board can have.
pub const MAX_EDGE: u8 = 20;

/// How many columns and rows a board has, each [`MIN_EDGE`] to [`MAX_EDGE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    columns: u8,
    rows: u8,
}

impl Size {
    /// 7 columns, 6 rows.
    pub const STANDARD: Self = Self { columns: 7, rows: 6 };

    /// `None` if one of the two is out of its range.
    #[must_use]
    pub const fn new(columns: u8, rows: u8) -> Option<Self> {
        let fits = columns >= MIN_EDGE && columns <= MAX_EDGE && rows >= MIN_EDGE && rows <= MAX_EDGE;
        if fits { Some(Self { columns, rows }) } else { None }
    }

    /// How many columns.
    #[must_use]
    pub const fn columns(self) -> u8 {
        self.columns
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(self) -> u8 {
        self.rows
    }

    /// How many cells.
    #[must_use]
    pub const fn cells(self) -> u32 {
        self.columns as u32 * self.rows as u32
    }
}

/// One of the two who play. Red moves first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Red,
    /// The server.
    Yellow,
}

impl Side {
    /// Who plays against it.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Red => Self::Yellow,
            Self::Yellow => Self::Red,
        }
    }
}

/// One move. Columns count from 0 here, and from 1 in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// A new piece falls into this column.
    Drop(u8),
    /// The mover's own piece leaves this column at the bottom; the column slides down.
    Pop(u8),
}

impl Move {
    /// Which column.
    #[must_use]
    pub const fn column(self) -> u8 {
        match self {
            Self::Drop(column) | Self::Pop(column) => column,
        }
    }

    /// Reads `DROP column` or `POP column`, a column from 1. It may still be no legal move.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = words(text);
        let (verb, column) = (words.next()?, number(words.next()?)?.checked_sub(1)?);
        match (verb, words.next()) {
            (b"DROP", None) => Some(Self::Drop(column)),
            (b"POP", None) => Some(Self::Pop(column)),
            _ => None,
        }
    }
}

/// As [`Move::parse`] reads it.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Drop(column) => write!(f, "DROP {}", u16::from(column) + 1),
            Self::Pop(column) => write!(f, "POP {}", u16::from(column) + 1),
        }
    }
}

/// What stands between spaces.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

/// Decimal digits alone: no sign.
pub(super) fn number(word: &[u8]) -> Option<u8> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

/// That move cannot be made on this board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be played here")]
pub struct Illegal(pub Move);

/// A position, and whose turn it is.
///
/// Each column is a word for each side, a bit a row, the lowest row first. So a drop sets a bit, a pop is one shift,
/// and four in a row is found for a whole column at a time. Invariant: in a column, the bits of both sides together
/// are a run from bit 0, and no bit belongs to both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Board {
    size: Size,
    turn: Side,
    pieces: [[u32; MAX_EDGE as usize]; 2],
}

impl Board {
    /// An empty board. Red is to move.
    #[must_use]
    pub const fn new(size: Size) -> Self {
        Self { size, turn: Side::Red, pieces: [[0; MAX_EDGE as usize]; 2] }
    }

    /// Its size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Who is to move.
    #[must_use]
    pub const fn turn(&self) -> Side {
        self.turn
    }

    /// Whose piece is there; both count from 0, rows from the bottom.
    #[must_use]
    pub fn at(&self, column: u8, row: u8) -> Option<Side> {
        let here = |side: &Side| {
            self.columns(*side)
                .get(usize::from(column))
                .is_some_and(|bits| bits.unbounded_shr(row.into()) & 1 == 1)
        };
        [Side::Red, Side::Yellow].into_iter().find(here)
    }

    /// The columns of one side.
    pub(super) fn columns(&self, side: Side) -> &[u32] {
        &self.pieces[side as usize][..usize::from(self.size.columns)]
    }

    /// May the side whose turn it is make this move?
    #[must_use]
    pub fn allows(&self, it: Move) -> bool {
        let column = usize::from(it.column());
        let Some(own) = self.columns(self.turn).get(column) else { return false };
        match it {
            Move::Drop(_) => (own | self.columns(self.turn.other())[column]) >> (self.size.rows - 1) == 0,
            Move::Pop(_) => own & 1 == 1,
        }
    }

    /// Every legal move, drops before pops, from the left.
    pub fn moves(&self) -> impl Iterator<Item = Move> + '_ {
        let all = 0..self.size.columns;
        let drops = all.clone().map(Move::Drop);
        drops.chain(all.map(Move::Pop)).filter(|it| self.allows(*it))
    }

    /// Makes a move and says who has won by it. If a pop gives both sides four in a row, the side that popped wins.
    ///
    /// # Errors
    ///
    /// [`Illegal`], and then nothing has changed.
    pub fn play(&mut self, it: Move) -> Result<Option<Side>, Illegal> {
        if !self.allows(it) {
            return Err(Illegal(it));
        }
        let (mover, other) = (self.turn, self.turn.other());
        let column = usize::from(it.column());
        match it {
            Move::Drop(_) => {
                let held = self.pieces[0][column] | self.pieces[1][column];
                // The lowest cell that is free: the run of ones, plus one, carries there.
                self.pieces[mover as usize][column] |= held + 1;
            }
            Move::Pop(_) => {
                self.pieces[0][column] >>= 1;
                self.pieces[1][column] >>= 1;
            }
        }
        self.turn = other;
        // Only a pop moves the other side's pieces.
        let popped = matches!(it, Move::Pop(_));
        Ok(if self.has_four(mover) {
            Some(mover)
        } else {
            Some(other).filter(|_| popped && self.has_four(other))
        })
    }

    fn has_four(&self, side: Side) -> bool {
        let columns = self.columns(side);
        columns.iter().any(|bits| bits & bits >> 1 & bits >> 2 & bits >> 3 != 0)
            || columns.array_windows().any(|[a, b, c, d]| {
                (a & b & c & d) | (a & b >> 1 & c >> 2 & d >> 3) | (a >> 3 & b >> 2 & c >> 1 & d) != 0
            })
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
