//! MCP for a client that speaks over standard input and output: a bridge to a gateway's entrance, and a gateway of its
//! own for a wrapped command.

pub(crate) mod bridge;
pub(crate) mod folder;
pub(crate) mod node;
