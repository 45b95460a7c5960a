//! Behaviours of the whole on a real cluster, one a file.
