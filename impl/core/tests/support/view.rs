//! What can be seen of a mesh from outside.

use super::Mesh;

impl Mesh {
    pub(crate) fn index(&self, name: &str) -> usize {
        self.members
            .iter()
            .position(|member| member.name.as_str() == name)
            .unwrap()
    }

    /// Every running node has a path to every other running node, and none to the others.
    pub(crate) fn converged(&self) -> bool {
        let running: Vec<_> = self
            .members
            .iter()
            .filter(|member| member.node.is_some())
            .collect();
        running.iter().all(|member| {
            member
                .picture
                .as_ref()
                .is_some_and(|picture| picture.peers.iter().count() == running.len() - 1)
        })
    }

    /// The smallest frame length proven by UDP from one node to any of its peers.
    pub(crate) fn proven(&self, name: &str) -> u16 {
        let member = &self.members[self.index(name)];
        let Some(picture) = &member.picture else {
            return 0;
        };
        let proven = picture.peers.iter().map(|(_, path)| path.min_mtu).min();
        proven.unwrap_or(0)
    }
}
