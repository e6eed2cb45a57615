//! Dense identifiers of nodes and the table they index.

/// A node, as a small number. The number of one that is forgotten is given to another, but with another generation, so
/// that an identifier never comes to mean somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    number: u32,
    generation: u32,
}

impl NodeId {
    /// The first identifier that is given out.
    pub(super) const FIRST: Self = Self {
        number: 0,
        generation: 0,
    };

    fn index(self) -> usize {
        // A u32 always fits a usize on the platforms with a TAP device.
        self.number as usize
    }
}

/// Gives out identifiers.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    /// Of a number that nobody has had.
    fresh: NodeId,
    /// Of nodes that are forgotten.
    free: Vec<NodeId>,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            fresh: NodeId::FIRST,
            free: Vec::new(),
        }
    }
}

impl Ids {
    /// An identifier that nobody has had.
    pub(super) fn next(&mut self) -> NodeId {
        if let Some(NodeId { number, generation }) = self.free.pop() {
            let generation = generation.wrapping_add(1);
            return NodeId { number, generation };
        }
        let id = self.fresh;
        self.fresh.number = id.number.saturating_add(1);
        id
    }

    /// Has the number of a forgotten node used again.
    pub(super) fn give_back(&mut self, id: NodeId) {
        self.free.push(id);
    }
}

/// One value a node, with its generation. A late message about a forgotten node finds nothing instead of somebody else.
#[derive(Clone, Debug)]
pub struct IdMap<T>(Vec<Option<(u32, T)>>);

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> IdMap<T> {
    /// The value of a node.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&T> {
        let (generation, value) = self.0.get(id.index())?.as_ref()?;
        (*generation == id.generation).then_some(value)
    }

    /// The value of a node, to change it.
    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut T> {
        let (generation, value) = self.0.get_mut(id.index())?.as_mut()?;
        (*generation == id.generation).then_some(value)
    }

    /// Sets the value of a node, returning the one before. What a forgotten node has left in its place is dropped.
    pub fn insert(&mut self, id: NodeId, value: T) -> Option<T> {
        if self.0.len() <= id.index() {
            self.0.resize_with(id.index() + 1, || None);
        }
        let before = self.0.get_mut(id.index())?.replace((id.generation, value));
        before.and_then(|(generation, value)| (generation == id.generation).then_some(value))
    }

    /// Takes the value of a node away.
    pub fn remove(&mut self, id: NodeId) -> Option<T> {
        let own = |(generation, _): &mut (u32, T)| *generation == id.generation;
        let (_, value) = self.0.get_mut(id.index())?.take_if(own)?;
        Some(value)
    }

    /// Every node that has a value, in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &T)> {
        (0..).zip(&self.0).filter_map(|(number, place)| {
            let (generation, value) = place.as_ref()?;
            let generation = *generation;
            Some((NodeId { number, generation }, value))
        })
    }

    /// Every node that has a value, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut T)> {
        (0..).zip(&mut self.0).filter_map(|(number, place)| {
            let (generation, value) = place.as_mut()?;
            let generation = *generation;
            Some((NodeId { number, generation }, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_old_identifiers_find_nobody() {
        let mut ids = Ids::default();
        let mut map = IdMap::default();
        let (first, mut last) = (ids.next(), ids.next());
        map.insert(first, 0);
        map.insert(last, 1);
        for life in 2..100 {
            let old = last;
            assert!(map.remove(old).is_some());
            ids.give_back(old);
            last = ids.next();
            assert_eq!(map.insert(last, life), None);
            assert_eq!(map.get(old), None);
            assert_eq!(map.get_mut(old), None);
            assert_eq!(map.remove(old), None);
            assert_eq!(map.get(last), Some(&life));
        }
        assert_eq!(map.0.len(), 2);
        let all: Vec<_> = map.iter().collect();
        assert_eq!(all, [(first, &0), (last, &99)]);
    }

    #[test]
    fn a_table_that_was_not_told_of_the_end_takes_the_next_one() {
        let mut ids = Ids::default();
        let old = ids.next();
        ids.give_back(old);
        let new = ids.next();
        let mut map = IdMap::default();
        map.insert(old, "old");
        assert_eq!(map.get(new), None);
        assert_eq!(map.insert(new, "new"), None, "of somebody else");
        assert_eq!((map.get(old), map.get(new)), (None, Some(&"new")));
        assert_eq!(map.insert(new, "newer"), Some("new"));
    }
}
