//! What would change in a file, line by line, for a person to read. One region changes: what stands before it and
//! behind it is the same.

/// Lines shown around what changes.
const AROUND: usize = 3;

/// The change from `old` to `new`; empty where there is none.
pub(super) fn diff(path: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let lines = |of: &[&str], from: usize, to: usize, mark: char| -> String {
        of.iter().take(to).skip(from).map(|line| format!("{mark}{line}\n")).collect()
    };
    let from = head.saturating_sub(AROUND);
    let shown = (before.len() - tail + AROUND).min(before.len());
    format!(
        "--- {path}\n+++ {path}\n@@ line {} @@\n{}{}{}{}",
        head + 1,
        lines(&before, from, head, ' '),
        lines(&before, head, before.len() - tail, '-'),
        lines(&after, head, after.len() - tail, '+'),
        lines(&before, before.len() - tail, shown, ' '),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_region() {
        insta::assert_snapshot!(diff("f", "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\ny\n6\n7\n8\n"), @"
        --- f
        +++ f
        @@ line 5 @@
         2
         3
         4
        -5
        +x
        +y
         6
         7
         8
        ");
        insta::assert_snapshot!(diff("f", "", "a\n"), @"
        --- f
        +++ f
        @@ line 1 @@
        +a
        ");
        insta::assert_snapshot!(diff("f", "a\na\n", "a\na\na\n"), @"
        --- f
        +++ f
        @@ line 3 @@
         a
         a
        +a
        ");
        assert_eq!(diff("f", "a", "a"), "");
    }
}
