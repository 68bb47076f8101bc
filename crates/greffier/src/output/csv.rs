//! RFC 4180.

/// One record.
pub(crate) fn record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.into_iter().map(quoted).collect();
    format!("{}\r\n", fields.join(","))
}

/// A value that a spreadsheet would take for a formula has a `'` before it, as in the export: agents choose names. A number
/// is one.
pub(crate) fn disarmed(field: String) -> String {
    let is_armed = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err();
    if is_armed { format!("'{field}") } else { field }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_numbers_stay() {
        let check = |field: &str| disarmed(field.to_owned());
        assert_eq!(check("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(
            (check("-2+3"), check("@x"), check("+cmd"), check("\tx")),
            ("'-2+3".into(), "'@x".into(), "'+cmd".into(), "'\tx".into())
        );
        assert_eq!(
            (check("-1.5"), check("+3"), check("-"), check("crm:a-b"), check("")),
            ("-1.5".into(), "+3".into(), "'-".into(), "crm:a-b".into(), String::new())
        );
    }

    #[test]
    fn quotes_what_needs_it() {
        assert_eq!(
            record(["a", "a,b", "say \"hi\"", "x\ny", ""]),
            "a,\"a,b\",\"say \"\"hi\"\"\",\"x\ny\",\r\n"
        );
    }
}
