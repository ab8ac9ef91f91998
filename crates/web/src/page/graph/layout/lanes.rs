//! In which row each job stands.
//!
//! What always holds: a cell has one job at most; the jobs of a lane stand together, and a lane
//! shares its rows with no other.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Vertex};

/// Swaps of neighbours are tried over all lanes so often; a few times is where it stops paying.
const SWEEPS: usize = 6;

pub(super) fn rows(vertices: &[Vertex], needs: &[Vec<usize>], columns: &[usize]) -> Vec<usize> {
    let lanes = Lanes::of(vertices, columns);
    let links = links(vertices, needs);
    let order = lanes.ordered(&links);
    let first = lanes.first_rows(&order);
    let mut rows: Vec<Option<usize>> = vertices
        .iter()
        .zip(&lanes.within)
        .map(|(vertex, within)| Some(first.get(&vertex.lane?)? + within))
        .collect();
    place_the_others(&mut rows, needs, columns);
    rows.into_iter().map(Option::unwrap_or_default).collect()
}

struct Lanes {
    /// How many rows each takes, in the order they were given in.
    heights: BTreeMap<usize, usize>,
    /// Of each vertex the row within its lane.
    within: Vec<usize>,
}

impl Lanes {
    fn of(vertices: &[Vertex], columns: &[usize]) -> Self {
        let mut filled: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut heights: BTreeMap<usize, usize> = BTreeMap::new();
        let mut within = Vec::with_capacity(vertices.len());
        for (vertex, column) in vertices.iter().zip(columns) {
            let Some(lane) = vertex.lane else {
                within.push(0);
                continue;
            };
            let used = filled.entry((lane, *column)).or_default();
            within.push(*used);
            *used += 1;
            let height = heights.entry(lane).or_default();
            *height = (*height).max(*used);
        }
        Self { heights, within }
    }

    /// The given order, changed where that brings what belongs together closer together.
    fn ordered(&self, links: &BTreeMap<(usize, usize), usize>) -> Vec<usize> {
        let mut order: Vec<usize> = self.heights.keys().copied().collect();
        let mut best = apart(&order, links);
        for _ in 0..SWEEPS {
            let before = best;
            for at in 1..order.len() {
                order.swap(at - 1, at);
                let now = apart(&order, links);
                if now < best {
                    best = now;
                } else {
                    order.swap(at - 1, at);
                }
            }
            if best == before {
                break;
            }
        }
        order
    }

    fn first_rows(&self, order: &[usize]) -> BTreeMap<usize, usize> {
        let mut next = 0;
        order
            .iter()
            .map(|lane| {
                let first = next;
                next += self.heights.get(lane).copied().unwrap_or_default();
                (*lane, first)
            })
            .collect()
    }
}

/// How many lines run between two lanes.
fn links(vertices: &[Vertex], needs: &[Vec<usize>]) -> BTreeMap<(usize, usize), usize> {
    let mut links = BTreeMap::new();
    for (vertex, needs) in vertices.iter().zip(needs) {
        for need in needs {
            if let (Some(to), Some(from)) = (vertex.lane, vertices[*need].lane)
                && to != from
            {
                *links.entry((from.min(to), from.max(to))).or_default() += 1;
            }
        }
    }
    links
}

/// How far lanes stand from those they have to do with.
fn apart(order: &[usize], links: &BTreeMap<(usize, usize), usize>) -> usize {
    let places: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(place, lane)| (*lane, place)).collect();
    let place = |lane: &usize| places.get(lane).copied().unwrap_or_default();
    links.iter().map(|((one, other), many)| place(one).abs_diff(place(other)) * many).sum()
}

/// What is of no lane: in the row nearest to the middle of its neighbours that is free.
fn place_the_others(rows: &mut [Option<usize>], needs: &[Vec<usize>], columns: &[usize]) {
    let mut taken: BTreeSet<Cell> =
        columns.iter().zip(&*rows).filter_map(|(column, row)| Some((*column, (*row)?))).collect();
    let last = rows.iter().flatten().max().copied().unwrap_or_default();
    for one in 0..rows.len() {
        if rows[one].is_some() {
            continue;
        }
        let after = (0..rows.len()).filter(|other| needs[*other].contains(&one));
        let around: Vec<usize> =
            needs[one].iter().copied().chain(after).filter_map(|other| rows[other]).collect();
        let middle = match (around.iter().min(), around.iter().max()) {
            (Some(first), Some(last)) => usize::midpoint(*first, *last),
            (None, _) | (_, None) => last / 2,
        };
        let column = columns[one];
        let free = (0..=last + rows.len()).filter(|row| !taken.contains(&(column, *row)));
        let row = free.min_by_key(|row| row.abs_diff(middle)).unwrap_or_default();
        taken.insert((column, row));
        rows[one] = Some(row);
    }
}
