//! Where the boxes of a graph of jobs stand, and how the lines between them run; pure.
//!
//! What always holds, of any graph without circles: no two boxes share a place, what needs another
//! stands to the right of it, no line runs through a box, and nothing lies outside the picture. A
//! line that a longer way says already is left out.
//!
//! A job stands in the column of the longest way to it. The jobs of a lane (a service in a region)
//! share a row, or as many rows as it has jobs of one column; lanes that have to do with each other
//! stand together. What is of no lane stands in the middle of its neighbours.

mod lanes;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(super) const BOX_WIDTH: i32 = 184;
pub(super) const BOX_HEIGHT: i32 = 64;
/// Between two columns: here lines bend.
const GUTTER: i32 = 40;
/// Between two rows: here lines pass boxes that are in their way.
const GAP: i32 = 18;
const MARGIN: i32 = 10;

/// A job: the lane it belongs to, and the jobs it needs, by their place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vertex {
    pub(super) lane: Option<usize>,
    pub(super) needs: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Left upper corners, in the order of the vertices.
    pub(super) places: Vec<Point>,
    pub(super) edges: Vec<Edge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// From the right side of one box to the left side of another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Between two points of one height it is straight; else it bends, within one gutter.
    pub(super) way: Vec<Point>,
}

/// A column and a row.
type Cell = (usize, usize);

pub(super) fn layout(vertices: &[Vertex]) -> Layout {
    let needs = reduced(vertices);
    let columns = columns(&needs);
    let rows = lanes::rows(vertices, &needs, &columns);
    let cells: Vec<Cell> = columns.into_iter().zip(rows).collect();
    let taken: BTreeSet<Cell> = cells.iter().copied().collect();
    let last = |of: fn(&Cell) -> usize| cells.iter().map(of).max().map_or(0, |last| last + 1);
    let span = |many: usize, one: i32, between: i32| {
        2 * MARGIN + (nth(many) * (one + between) - between).max(0)
    };
    let edges =
        needs.iter().enumerate().flat_map(|(to, needs)| needs.iter().map(move |from| (*from, to)));
    Layout {
        width: span(last(|cell| cell.0), BOX_WIDTH, GUTTER),
        height: span(last(|cell| cell.1), BOX_HEIGHT, GAP),
        edges: edges
            .map(|(from, to)| Edge { from, to, way: way(cells[from], cells[to], &taken) })
            .collect(),
        places: cells.iter().map(|cell| corner(*cell)).collect(),
    }
}

fn nth(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX / 1024)
}

fn corner((column, row): Cell) -> Point {
    Point {
        x: MARGIN + nth(column) * (BOX_WIDTH + GUTTER),
        y: MARGIN + nth(row) * (BOX_HEIGHT + GAP),
    }
}

/// What each needs, without what another of its needs needs already.
pub(super) fn reduced(vertices: &[Vertex]) -> Vec<Vec<usize>> {
    let order = order(vertices.iter().map(|vertex| &vertex.needs));
    let mut before: Vec<Vec<bool>> = vec![Vec::new(); vertices.len()];
    for one in order {
        let mut all = vec![false; vertices.len()];
        for need in &vertices[one].needs {
            all[*need] = true;
            for (known, set) in before[*need].iter().zip(&mut all) {
                *set |= known;
            }
        }
        before[one] = all;
    }
    let by_another = |needs: &[usize], need: usize| {
        needs.iter().any(|other| *other != need && before[*other].get(need) == Some(&true))
    };
    vertices
        .iter()
        .map(|vertex| {
            let needs: BTreeSet<usize> = vertex.needs.iter().copied().collect();
            let needs: Vec<usize> = needs.into_iter().collect();
            needs.iter().copied().filter(|need| !by_another(&needs, *need)).collect()
        })
        .collect()
}

/// Each after what it needs; what goes in a circle, which no build does, comes last.
pub(super) fn order<'a>(needs: impl Iterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut missing: Vec<BTreeSet<usize>> =
        needs.map(|needs| needs.iter().copied().collect()).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); missing.len()];
    for (one, needs) in missing.iter().enumerate() {
        for need in needs {
            needed_by[*need].push(one);
        }
    }
    let mut order: Vec<usize> = (0..missing.len()).filter(|one| missing[*one].is_empty()).collect();
    let mut at = 0;
    while let Some(one) = order.get(at).copied() {
        for after in &needed_by[one] {
            if missing[*after].remove(&one) && missing[*after].is_empty() {
                order.push(*after);
            }
        }
        at += 1;
    }
    let known: BTreeSet<usize> = order.iter().copied().collect();
    order.extend((0..missing.len()).filter(|one| !known.contains(one)));
    order
}

/// The longest way to each.
fn columns(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut columns = vec![0; needs.len()];
    for one in order(needs.iter()) {
        columns[one] = needs[one].iter().map(|need| columns[*need] + 1).max().unwrap_or(0);
    }
    columns
}

/// Along the row of the one, or of the other, whichever is free between them; else between rows.
fn way(from: Cell, to: Cell, taken: &BTreeSet<Cell>) -> Vec<Point> {
    let (start, end) = (corner(from), corner(to));
    let middle = |point: Point| point.y + BOX_HEIGHT / 2;
    let start = Point { x: start.x + BOX_WIDTH, y: middle(start) };
    let end = Point { x: end.x, y: middle(end) };
    let free = |row: usize| (from.0 + 1..to.0).all(|column| !taken.contains(&(column, row)));
    let (after, before) = (start.x + GUTTER, end.x - GUTTER);
    let mut way = vec![start];
    if to.0 <= from.0 + 1 {
        // neighbours: one bend
    } else if free(from.1) {
        way.push(Point { x: before, y: start.y });
    } else if free(to.1) {
        way.push(Point { x: after, y: end.y });
    } else {
        let half = (BOX_HEIGHT + GAP) / 2;
        let y = if end.y > start.y || from.1 == 0 { start.y + half } else { start.y - half };
        way.extend([Point { x: after, y }, Point { x: before, y }]);
    }
    way.push(end);
    way.dedup();
    way
}

/// The way in the words of an SVG path.
pub(super) fn path(way: &[Point]) -> String {
    let mut path = String::new();
    let mut last: Option<Point> = None;
    for point in way {
        let Point { x, y } = *point;
        path.push_str(&match last {
            None => format!("M{x} {y}"),
            Some(before) if before.y == y => format!("H{x}"),
            Some(before) => {
                let half = (before.x + x) / 2;
                format!("C{half} {} {half} {y} {x} {y}", before.y)
            }
        });
        last = Some(*point);
    }
    path
}
