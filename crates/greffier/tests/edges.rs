//! The layers, held: who may depend on whom, and which crate alone may know a heavy dependency.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, MetadataCommand};

/// Arrows point down only. What stands here is allowed, and nothing else is.
const ALLOWED: [(&str, &[&str]); 11] = [
    (
        "greffier",
        &[
            "greffier-event",
            "greffier-merkle",
            "greffier-safety",
            "greffier-policy",
            "greffier-ledger",
            "greffier-analysis",
            "greffier-query",
            "greffier-gateway",
            "greffier-api",
        ],
    ),
    (
        "greffier-api",
        &[
            "greffier-event",
            "greffier-merkle",
            "greffier-safety",
            "greffier-policy",
            "greffier-ledger",
            "greffier-analysis",
            "greffier-query",
        ],
    ),
    (
        "greffier-gateway",
        &["greffier-event", "greffier-merkle", "greffier-safety", "greffier-policy", "greffier-ledger"],
    ),
    // The ledger only under its feature of that name.
    ("greffier-client", &["greffier-event", "greffier-merkle", "greffier-ledger"]),
    ("greffier-query", &["greffier-event", "greffier-merkle", "greffier-ledger", "greffier-analysis"]),
    ("greffier-analysis", &["greffier-event"]),
    ("greffier-policy", &["greffier-event"]),
    ("greffier-safety", &["greffier-event"]),
    ("greffier-ledger", &["greffier-event", "greffier-merkle"]),
    ("greffier-event", &[]),
    ("greffier-merkle", &[]),
];

/// Beside the layers: they measure, and nobody depends on them.
const ASIDE: [&str; 1] = ["greffier-bench"];

/// Dependencies that one crate alone may name.
const ALONE: [(&str, &str); 8] = [
    ("cedar-policy", "greffier-policy"),
    ("cedar-policy-core", "greffier-policy"),
    ("jsonwebtoken", "greffier-policy"),
    ("anyhow", "greffier"),
    ("clap", "greffier"),
    ("ed25519-dalek", "greffier-merkle"),
    ("datafusion", "greffier-query"),
    ("parquet", "greffier-ledger"),
];

/// Crates without I/O: what would give it to them, they may not name outside their tests.
const PURE: [&str; 5] =
    ["greffier-event", "greffier-merkle", "greffier-safety", "greffier-policy", "greffier-analysis"];
const IMPURE: [&str; 8] =
    ["tokio", "hyper", "hyper-util", "reqwest", "axum", "tracing-subscriber", "object_store", "tempfile"];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(["--offline".to_owned()]).exec().unwrap()
}

/// Our crates, each with all that it names; tests and build scripts included.
fn named(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    metadata
        .packages
        .iter()
        .map(|package| {
            let dependencies = package.dependencies.iter().map(|dependency| dependency.name.as_str());
            (package.name.as_str(), dependencies.collect())
        })
        .collect()
}

#[test]
fn arrows_only_point_down() {
    let metadata = metadata();
    let named = named(&metadata);
    let allowed = BTreeMap::from(ALLOWED);
    for (package, dependencies) in &named {
        let ours: Vec<_> = dependencies.iter().filter(|name| named.contains_key(*name)).collect();
        if ASIDE.contains(package) {
            continue;
        }
        let Some(allowed) = allowed.get(package) else { panic!("`{package}` has no place in the layers") };
        for dependency in ours {
            assert!(allowed.contains(dependency), "`{package}` must not depend on `{dependency}`");
        }
    }
    // A crate that is gone would leave its rule behind as a promise about nothing.
    for package in allowed.keys().chain(&ASIDE) {
        assert!(named.contains_key(package), "`{package}` is in the table, but not in the workspace");
    }
}

#[test]
fn heavy_dependencies_stay_behind_their_wall() {
    let metadata = metadata();
    let named = named(&metadata);
    for (dependency, owner) in ALONE {
        let users: Vec<&str> = named
            .iter()
            .filter(|(_, names)| names.contains(dependency))
            .map(|(package, _)| *package)
            .collect();
        assert_eq!(users, [owner], "only `{owner}` may name `{dependency}`");
    }
}

#[test]
fn pure_crates_name_nothing_that_does_io() {
    let metadata = metadata();
    for package in metadata.packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        for dependency in &package.dependencies {
            let test_only = dependency.kind == cargo_metadata::DependencyKind::Development;
            let impure = IMPURE.contains(&dependency.name.as_str());
            assert!(test_only || !impure, "`{}` must not name `{}`", package.name, dependency.name);
        }
    }
}
