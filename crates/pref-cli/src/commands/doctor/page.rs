//! The text form of the report. In: labelled lines. Out: an aligned text, with sizes in GiB.

/// Width of the labels, in characters.
const LABEL: usize = 28;

/// Groups of lines with an empty line between them.
pub(super) fn lines(sections: &[Vec<(String, String)>]) -> String {
    let section = |lines: &Vec<(String, String)>| -> String {
        let line = |(label, text): &(String, String)| format!("{label:<LABEL$} {text}\n");
        lines.iter().map(line).collect()
    };
    let sections: Vec<String> = sections.iter().map(section).collect();
    sections.join("\n")
}

/// Bytes in GiB.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_aligned_and_groups_are_apart() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let text = lines(&[vec![pair("a", "1"), pair("bc", "2")], vec![pair("d", "3")]]);
        let label = |name: &str| format!("{name:<LABEL$}");
        assert_eq!(
            text,
            format!("{} 1\n{} 2\n\n{} 3\n", label("a"), label("bc"), label("d"))
        );
    }

    #[test]
    fn sizes_are_in_gib() {
        assert_eq!(gib(3 << 29), "1.5 GiB");
        assert_eq!(gib(0), "0.0 GiB");
    }
}
