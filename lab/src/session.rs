//! The walls around a run: the namespaces in which everything a lab creates lives and with which it vanishes.
