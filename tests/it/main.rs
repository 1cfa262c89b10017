//! One binary for every test that crosses rooms.

mod documents;
