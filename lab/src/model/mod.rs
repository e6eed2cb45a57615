//! A scenario as its author wrote it: places and people, no interface and no Linux.
