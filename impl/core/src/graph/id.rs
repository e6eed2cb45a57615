//! Dense identifiers of nodes and the table they index.

/// A node, as a small number that is never given to another node while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The first identifier that a table gives out.
    pub(super) const FIRST: Self = Self(0);

    fn index(self) -> usize {
        // A u32 always fits a usize on the platforms with a TAP device.
        self.0 as usize
    }
}

/// One value a node. Slots of removed nodes stay empty, so that a late message about a
/// forgotten node finds nothing instead of somebody else.
#[derive(Clone, Debug)]
pub struct IdMap<T>(Vec<Option<T>>);

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> IdMap<T> {
    /// Stores a value under a new identifier.
    pub(super) fn push(&mut self, value: T) -> NodeId {
        let id = NodeId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Some(value));
        id
    }

    /// The value of a node.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&T> {
        self.0.get(id.index())?.as_ref()
    }

    /// The value of a node, to change it.
    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut T> {
        self.0.get_mut(id.index())?.as_mut()
    }

    /// Sets the value of a node, returning the one before.
    pub fn insert(&mut self, id: NodeId, value: T) -> Option<T> {
        if self.0.len() <= id.index() {
            self.0.resize_with(id.index() + 1, || None);
        }
        self.0.get_mut(id.index())?.replace(value)
    }

    /// Takes the value of a node away.
    pub fn remove(&mut self, id: NodeId) -> Option<T> {
        self.0.get_mut(id.index())?.take()
    }

    /// Every node that has a value, in the order of the identifiers.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &T)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(index, slot)| Some((NodeId(index), slot.as_ref()?)))
    }

    /// Every node that has a value, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut T)> {
        (0..)
            .zip(&mut self.0)
            .filter_map(|(index, slot)| Some((NodeId(index), slot.as_mut()?)))
    }
}
