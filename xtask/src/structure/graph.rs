//! The arrows between modules, and the circles among them.
//!
//! A module stands for everything inside it. An import is an arrow between two children of the
//! nearest common ancestor: where `a::b` imports `c::d`, the arrow goes from `a` to `c`. Imports
//! between a module and its own descendants are no arrows: a parent is made of its children.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Mention, Tree};
use super::names;

/// Children of one module that all reach one another.
#[derive(Debug)]
pub(super) struct Circle {
    /// Their paths from the root of the crate, sorted
    pub(super) members: Vec<String>,
    /// The shortest path back to its start
    pub(super) steps: Vec<Step>,
}

/// One import on that path.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) import: Mention,
}

/// The arrows between the children of one module, each with its first import.
type Arrows = BTreeMap<(usize, usize), Mention>;

/// Every circle of a crate.
pub(super) fn circles(tree: &Tree) -> Vec<Circle> {
    let mut levels: BTreeMap<usize, Arrows> = BTreeMap::new();
    for (module, contents) in tree.modules.iter().enumerate() {
        for mention in &contents.mentions {
            let Some(target) = names::resolve(tree, module, &mention.path) else { continue };
            if let Some((level, from, to)) = lifted(tree, module, target) {
                levels.entry(level).or_default().entry((from, to)).or_insert_with(|| mention.clone());
            }
        }
    }
    levels.values().flat_map(|arrows| circles_among(tree, arrows)).collect()
}

/// The nearest common ancestor of two modules, and its two children that contain them.
fn lifted(tree: &Tree, from: usize, to: usize) -> Option<(usize, usize, usize)> {
    let down = |module| {
        let mut line: Vec<usize> = tree.line(module).collect();
        line.reverse();
        line
    };
    let (from, to) = (down(from), down(to));
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    Some((from[common - 1], *from.get(common)?, *to.get(common)?))
}

fn circles_among(tree: &Tree, arrows: &Arrows) -> Vec<Circle> {
    let nodes: BTreeSet<usize> = arrows.keys().map(|(from, _)| *from).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for node in nodes {
        let Some(steps) = path_back(arrows, node).filter(|_| !seen.contains(&node)) else { continue };
        let behind = reached(arrows, node);
        let members: Vec<usize> =
            behind.into_iter().filter(|other| reached(arrows, *other).contains(&node)).collect();
        // The path from another member may be shorter.
        let shortest = members
            .iter()
            .filter_map(|member| path_back(arrows, *member))
            .min_by_key(Vec::len)
            .unwrap_or(steps);
        let step = |(from, to): &(usize, usize)| Step {
            from: tree.path(*from),
            to: tree.path(*to),
            import: arrows[&(*from, *to)].clone(),
        };
        let mut paths: Vec<String> = members.iter().map(|member| tree.path(*member)).collect();
        paths.sort();
        found.push(Circle { members: paths, steps: shortest.iter().map(step).collect() });
        seen.extend(members);
    }
    found
}

/// The nodes that `node` reaches along at least one arrow.
fn reached(arrows: &Arrows, node: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        waiting.extend(next(arrows, node).filter(|to| found.insert(*to)));
    }
    found
}

/// The shortest path from `node` back to itself.
fn path_back(arrows: &Arrows, node: usize) -> Option<Vec<(usize, usize)>> {
    let mut came_from = BTreeMap::new();
    let mut waiting = VecDeque::from([node]);
    while let Some(at) = waiting.pop_front() {
        for to in next(arrows, at) {
            if to == node {
                let mut steps = vec![(at, node)];
                while steps[0].0 != node {
                    let before = came_from[&steps[0].0];
                    steps.insert(0, (before, steps[0].0));
                }
                return Some(steps);
            }
            came_from.entry(to).or_insert_with(|| {
                waiting.push_back(to);
                at
            });
        }
    }
    None
}

fn next(arrows: &Arrows, node: usize) -> impl Iterator<Item = usize> {
    arrows.range((node, 0)..=(node, usize::MAX)).map(|((_, to), _)| *to)
}
