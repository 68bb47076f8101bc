//! The policies that a new installation starts with.

/// File names and texts of the starter policies: roles `analyst` and `operator` may call models and tools,
/// `auditor`, `analyst`, `operator` and `privacy` may use Greffier within their tenant.
pub const SAMPLE_POLICIES: &[(&str, &str)] = &[
    ("models.cedar", include_str!("samples/models.cedar")),
    ("tools.cedar", include_str!("samples/tools.cedar")),
    ("trails.cedar", include_str!("samples/trails.cedar")),
];
