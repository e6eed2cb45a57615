//! What our own configuration says about frames.

/// How the owner of a frame's destination is found (`Mode` in tinc.conf).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// By the destination address of the IP packet in it and the subnets of host files.
    #[default]
    Router,
    /// By its destination MAC address, which nodes announce as they learn them.
    Switch,
    /// Not at all: every frame goes to everybody.
    Hub,
}

/// What becomes of frames from one other node to another (`Forwarding` in tinc.conf).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transit {
    /// They go no further.
    Off,
    /// They are passed on.
    #[default]
    Internal,
    /// The kernel decides: whatever comes from others goes to the device, and comes back from it
    /// if it is to be passed on.
    Kernel,
}

/// How frames for everybody are spread (`Broadcast` in tinc.conf).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Broadcast {
    /// Not at all.
    No,
    /// Along a minimum spanning tree of the meta connections, where each node repeats them.
    #[default]
    Tree,
    /// By who sends them, to each node that can be spoken to directly.
    Direct,
}

/// Everything our own configuration says about frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// `Mode`.
    pub mode: Mode,
    /// `Forwarding`.
    pub transit: Transit,
    /// `Broadcast`.
    pub broadcast: Broadcast,
    /// Packets that would need a relay are refused (`DirectOnly`).
    pub direct_only: bool,
    /// We count as a hop of what we pass on (`DecrementTTL`), in all modes.
    pub decrement_ttl: bool,
    /// UDP packets inherit the class of service of what is in them (`PriorityInheritance`).
    pub priority_inheritance: bool,
}
