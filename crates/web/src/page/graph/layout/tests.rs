//! Random graphs, and a build as they are.

use proptest::prelude::*;

use super::*;

/// Graphs without circles: each job needs some of those before it.
fn graphs(most: usize) -> impl Strategy<Value = Vec<Vertex>> {
    let one = (proptest::option::weighted(0.9, 0_usize..12), any::<u64>(), 0_usize..4);
    proptest::collection::vec(one, 1..most).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(at, (lane, mut random, many))| {
                let many = if at == 0 { 0 } else { many };
                let needs = (0..many).map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    usize::try_from(random >> 33).unwrap() % at
                });
                Vertex { lane, needs: needs.collect() }
            })
            .collect()
    })
}

fn vertex(lane: usize, needs: &[usize]) -> Vertex {
    Vertex { lane: Some(lane), needs: needs.to_vec() }
}

/// All that is needed, also by what is needed.
fn reach(needs: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
    let mut reach: Vec<BTreeSet<usize>> = Vec::new();
    for needs in needs {
        let mut all: BTreeSet<usize> = needs.iter().copied().collect();
        for need in needs {
            all.extend(&reach[*need]);
        }
        reach.push(all);
    }
    reach
}

fn inside(layout: &Layout, Point { x, y }: Point) -> bool {
    (0..=layout.width).contains(&x) && (0..=layout.height).contains(&y)
}

proptest! {
    #[test]
    fn no_two_boxes_overlap_and_none_lies_outside(graph in graphs(60)) {
        let layout = layout(&graph);
        prop_assert_eq!(layout.places.len(), graph.len());
        for (at, one) in layout.places.iter().enumerate() {
            let far = Point { x: one.x + BOX_WIDTH, y: one.y + BOX_HEIGHT };
            prop_assert!(inside(&layout, *one) && inside(&layout, far));
            for other in &layout.places[at + 1..] {
                let apart = (one.x - other.x).abs() >= BOX_WIDTH + GUTTER
                    || (one.y - other.y).abs() >= BOX_HEIGHT + GAP;
                prop_assert!(apart, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn every_line_goes_forward_inside_and_through_no_box(graph in graphs(60)) {
        let layout = layout(&graph);
        for edge in &layout.edges {
            let (from, to) = (layout.places[edge.from], layout.places[edge.to]);
            prop_assert!(from.x + BOX_WIDTH < to.x);
            let (first, last) = (edge.way.first().unwrap(), edge.way.last().unwrap());
            prop_assert_eq!(*first, Point { x: from.x + BOX_WIDTH, y: from.y + BOX_HEIGHT / 2 });
            prop_assert_eq!(*last, Point { x: to.x, y: to.y + BOX_HEIGHT / 2 });
            for pair in edge.way.windows(2) {
                let (start, end) = (pair[0], pair[1]);
                prop_assert!(start.x < end.x && inside(&layout, start) && inside(&layout, end));
                // a bend stays in one gutter, where no box is
                prop_assert!(start.y == end.y || end.x - start.x <= GUTTER);
                for place in &layout.places {
                    let level = start.y == end.y && (place.y..place.y + BOX_HEIGHT).contains(&start.y);
                    let beside = end.x <= place.x || start.x >= place.x + BOX_WIDTH;
                    prop_assert!(!level || beside, "{edge:?} through {place:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_left_out_only_where_others_say_the_same(graph in graphs(40)) {
        let all: Vec<Vec<usize>> = graph.iter().map(|vertex| vertex.needs.clone()).collect();
        prop_assert_eq!(reach(&reduced(&graph)), reach(&all));
    }
}

#[test]
fn a_service_stands_in_one_row_and_what_ends_the_build_in_the_middle() {
    let graph = [
        Vertex { lane: None, needs: vec![] },
        vertex(0, &[0]),
        vertex(0, &[1]),
        vertex(0, &[2]),
        vertex(1, &[0]),
        vertex(1, &[4]),
        vertex(1, &[5]),
        vertex(2, &[0]),
        vertex(2, &[7, 3]),
        vertex(2, &[3, 8]),
        Vertex { lane: None, needs: vec![3, 6, 9] },
    ];
    let layout = layout(&graph);
    let row = |at: usize| layout.places[at].y;
    assert_eq!((row(1), row(4)), (row(2), row(5)));
    assert_eq!(row(2), row(3));
    assert_eq!(row(7), row(9));
    // the two that have to do with each other stand side by side
    assert_eq!((row(7) - row(1)).abs(), BOX_HEIGHT + GAP);
    assert!(row(0) > layout.places.iter().map(|place| place.y).min().unwrap());
    let straight = layout.edges.iter().find(|edge| (edge.from, edge.to) == (2, 3)).unwrap();
    assert_eq!(straight.way.len(), 2);
    assert!(!layout.edges.iter().any(|edge| (edge.from, edge.to) == (3, 9)), "8 says it already");
}

#[test]
fn a_way_is_drawn_with_straight_parts_and_bends() {
    let way = [Point { x: 0, y: 5 }, Point { x: 20, y: 5 }, Point { x: 30, y: 9 }];
    assert_eq!(path(&way), "M0 5H20C25 5 25 9 30 9");
}

#[test]
fn a_circle_is_drawn_all_the_same() {
    let layout = layout(&[vertex(0, &[1]), vertex(0, &[0])]);
    assert_eq!(layout.places.len(), 2);
}

#[test]
fn nothing_makes_an_empty_picture() {
    let layout = layout(&[]);
    assert_eq!((layout.width, layout.height), (2 * MARGIN, 2 * MARGIN));
}
