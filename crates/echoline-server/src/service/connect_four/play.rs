//! How the server plays: alpha-beta within a budget of nodes, so that the same seed makes the same game on every
//! machine.

use super::board::{Board, Move};

/// A win now. Later ones are worth one less a move.
const WIN: i32 = 1_000_000;
/// What is above this is a proven win.
const DECIDED: i32 = WIN - 1_000;
/// Deeper than any budget reaches; a position in which every line ends early would go on for ever.
const MAX_DEPTH: i32 = 64;

/// How much work one move may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort(u32);

impl Effort {
    /// About 20 ms on a server's processor of today.
    pub const DEFAULT: Self = Self(1_500_000);

    /// So many looks at one column. A position costs a look for each column of its board, since a wider one takes
    /// longer to judge.
    #[must_use]
    pub const fn looks(looks: u32) -> Self {
        Self(looks)
    }
}

/// A move for the side whose turn it is; `None` if it has none.
///
/// It takes a win in one move and, whatever the effort, leaves the other side no win in one move if that can be
/// helped. The seed decides between moves that are equally far from the middle.
#[must_use]
pub fn choose(board: &Board, effort: Effort, seed: u64) -> Option<Move> {
    let mut moves = ordered(board, seed);
    if let Some(win) = moves.iter().copied().find(|it| wins(board, *it)) {
        return Some(win);
    }
    let safe: Vec<_> = moves.iter().copied().filter(|it| is_safe(board, *it)).collect();
    if !safe.is_empty() {
        moves = safe;
    }
    let mut search = Search::new(board, effort);
    for depth in 2..MAX_DEPTH {
        let Some((best, score)) = search.best_of(board, &moves, depth) else { break };
        // First next time: what is best at this depth cuts most at the next.
        moves[..=best].rotate_right(1);
        if score.abs() > DECIDED {
            break;
        }
    }
    moves.first().copied()
}

fn wins(board: &Board, it: Move) -> bool {
    let mut next = *board;
    next.play(it) == Ok(Some(board.turn()))
}

/// Is the game neither lost by this move nor by the next one?
fn is_safe(board: &Board, it: Move) -> bool {
    let mut next = *board;
    next.play(it) == Ok(None) && !next.moves().any(|reply| wins(&next, reply))
}

/// The legal moves, the most promising first: drops in the middle. The seed decides between left and right.
fn ordered(board: &Board, seed: u64) -> Vec<Move> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moves: Vec<_> = board.moves().collect();
    random.shuffle(&mut moves);
    moves.sort_by_key(|it| (matches!(it, Move::Pop(_)), from_middle(board, it.column())));
    moves
}

/// Twice the distance of a column from the middle.
fn from_middle(board: &Board, column: u8) -> u8 {
    (2 * column + 1).abs_diff(board.size().columns())
}

struct Search {
    looks_left: u32,
    width: u32,
    /// The columns, from the middle outwards.
    columns: Vec<u8>,
}

impl Search {
    fn new(board: &Board, effort: Effort) -> Self {
        let width = board.size().columns();
        let mut columns: Vec<_> = (0..width).collect();
        columns.sort_by_key(|column| from_middle(board, *column));
        Self { looks_left: effort.0, width: width.into(), columns }
    }

    /// Which of the moves is best, and what it is worth; `None` if the budget ended before that was known.
    fn best_of(&mut self, board: &Board, moves: &[Move], depth: i32) -> Option<(usize, i32)> {
        let mut best: Option<(usize, i32)> = None;
        for (at, &it) in moves.iter().enumerate() {
            let alpha = best.map_or(-WIN, |(_, score)| score);
            let score = self.worth(board, it, depth, 0, alpha, WIN)?;
            if best.is_none_or(|(_, so_far)| score > so_far) {
                best = Some((at, score));
            }
        }
        best
    }

    /// What a move is worth to who makes it, seen `depth` moves deep.
    fn worth(&mut self, board: &Board, it: Move, depth: i32, ply: i32, alpha: i32, beta: i32) -> Option<i32> {
        self.looks_left = self.looks_left.checked_sub(self.width)?;
        let mut next = *board;
        Some(match next.play(it).ok()? {
            Some(side) if side == board.turn() => WIN - ply,
            Some(_) => ply - WIN,
            None if depth <= 1 => -potential(&next),
            None => -self.position(&next, depth - 1, ply + 1, -beta, -alpha)?,
        })
    }

    /// What a position is worth to the side whose turn it is.
    fn position(&mut self, board: &Board, depth: i32, ply: i32, mut alpha: i32, beta: i32) -> Option<i32> {
        let mut best = -WIN;
        for pops in [false, true] {
            for at in 0..self.columns.len() {
                let column = self.columns[at];
                let it = if pops { Move::Pop(column) } else { Move::Drop(column) };
                if !board.allows(it) {
                    continue;
                }
                best = best.max(self.worth(board, it, depth, ply, alpha, beta)?);
                alpha = alpha.max(best);
                if alpha >= beta {
                    return Some(best);
                }
            }
        }
        Some(best)
    }
}

/// How many lines of four are still open to the side whose turn it is, less those open to the other; lines with
/// three pieces count most.
fn potential(board: &Board) -> i32 {
    let (own, other) = (board.columns(board.turn()), board.columns(board.turn().other()));
    let every_row = (1_u32 << board.size().rows()) - 1;
    let four_up = every_row >> 3;
    let upwards = |bits: &u32| [*bits, bits >> 1, bits >> 2, bits >> 3];
    let mut sum = 0;
    for (a, b) in own.iter().zip(other) {
        sum += open(upwards(a), upwards(b), four_up);
    }
    let rising = |[a, b, c, d]: [u32; 4]| [a, b >> 1, c >> 2, d >> 3];
    let falling = |[a, b, c, d]: [u32; 4]| [a >> 3, b >> 2, c >> 1, d];
    for (a, b) in own.array_windows().zip(other.array_windows()) {
        sum += open(*a, *b, every_row);
        sum += open(rising(*a), rising(*b), four_up);
        sum += open(falling(*a), falling(*b), four_up);
    }
    sum
}

/// Each bit is one line of four, given as its four cells.
fn open(own: [u32; 4], other: [u32; 4], within: u32) -> i32 {
    let value = |[a, b, c, d]: [u32; 4], [w, x, y, z]: [u32; 4]| {
        let free = within & !(w | x | y | z);
        let two = (a & b) | (c & d) | ((a | b) & (c | d));
        let three = (a & b & (c | d)) | (c & d & (a | b));
        (two & free).count_ones() + 5 * (three & free).count_ones()
    };
    value(own, other).cast_signed() - value(other, own).cast_signed()
}

#[cfg(test)]
#[path = "play_tests.rs"]
mod tests;
