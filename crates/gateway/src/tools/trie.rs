//! Finds the template that a path fits: one step per segment, however many templates there are.
//!
//! Where a text and a name both fit a segment, both ways stay open below it: what could follow is worked out when the
//! trie is built, so that no search ever goes back.

use std::collections::{BTreeMap, HashMap};

use super::path::{Pattern, Segment};

/// Nodes of one trie: templates that overlap at every segment multiply, and such a document is a mistake or an attack.
const MAX_NODES: usize = 100_000;

/// Templates, by path.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    texts: HashMap<String, usize>,
    /// Those that say more come first.
    mixed: Vec<(Segment, usize)>,
    name: Option<usize>,
    /// The templates that end here, the most specific first.
    ends: Vec<usize>,
}

/// The templates overlap too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Trie {
    /// A trie of these templates; what is found are their places in the list.
    pub(super) fn build(templates: &[&Pattern]) -> Result<Trie, TooMany> {
        let mut trie = Trie::default();
        let mut all: Vec<usize> = (0..templates.len()).collect();
        // At each node those that say more at the first segment where they differ come first.
        all.sort_by_key(|&at| std::cmp::Reverse(weights(templates.get(at).copied())));
        trie.node(templates, &all, 0)?;
        Ok(trie)
    }

    fn node(&mut self, templates: &[&Pattern], alive: &[usize], depth: usize) -> Result<usize, TooMany> {
        let place = self.nodes.len();
        if place == MAX_NODES {
            return Err(TooMany);
        }
        self.nodes.push(Node::default());
        let segment = |at: usize| templates.get(at).and_then(|template| template.segments.get(depth));
        let ends = alive.iter().copied().filter(|&at| segment(at).is_none()).collect();
        let on: Vec<(usize, &Segment)> = alive.iter().filter_map(|&at| Some((at, segment(at)?))).collect();
        let below = |fits: &dyn Fn(&Segment) -> bool| -> Vec<usize> {
            on.iter().filter(|(_, segment)| fits(segment)).map(|(at, _)| *at).collect()
        };
        let mut node = Node { ends, ..Node::default() };
        let mut kinds: BTreeMap<&Segment, ()> = BTreeMap::new();
        kinds.extend(on.iter().map(|(_, segment)| (*segment, ())));
        let mut mixed = Vec::new();
        for kind in kinds.into_keys() {
            match kind {
                Segment::Text(text) => {
                    let alive = below(&|segment| segment.capture(text).is_some());
                    let below = self.node(templates, &alive, depth + 1)?;
                    node.texts.insert(text.clone(), below);
                }
                Segment::Mixed(_) => mixed.push(kind),
                Segment::Name(_) => {}
            }
        }
        mixed.sort_by_key(|kind| std::cmp::Reverse(kind.weight()));
        for kind in mixed {
            let alive = below(&|segment| segment == kind || matches!(segment, Segment::Name(_)));
            let below = self.node(templates, &alive, depth + 1)?;
            node.mixed.push((kind.clone(), below));
        }
        let alive = below(&|segment| matches!(segment, Segment::Name(_)));
        if !alive.is_empty() {
            node.name = Some(self.node(templates, &alive, depth + 1)?);
        }
        if let Some(reserved) = self.nodes.get_mut(place) {
            *reserved = node;
        }
        Ok(place)
    }

    /// The templates that a path fits, the most specific first.
    pub(super) fn find(&self, path: &[String]) -> &[usize] {
        let mut node = self.nodes.first();
        for segment in path {
            let Some(here) = node else { break };
            let next = here.texts.get(segment).copied().or_else(|| {
                let mixed = here.mixed.iter().find(|(kind, _)| kind.capture(segment).is_some());
                let named = !segment.is_empty() && !segment.contains(['/', '\\', '\0']);
                mixed.map(|(_, below)| *below).or(here.name.filter(|_| named))
            });
            node = next.and_then(|next| self.nodes.get(next));
        }
        node.map_or(&[], |node| &node.ends)
    }
}

fn weights(template: Option<&Pattern>) -> Vec<usize> {
    template.iter().flat_map(|template| &template.segments).map(Segment::weight).collect()
}
