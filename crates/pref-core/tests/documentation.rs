//! Checks that the page `docs/objectives.md` describes every method.

use pref_core::Method;

#[test]
fn every_method_has_a_section_in_the_page() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/objectives.md");
    let page = std::fs::read_to_string(path).expect("the page is in the repository");
    for method in Method::ALL {
        let heading = format!("\n### {}\n", method.name());
        assert!(page.contains(&heading), "no section for {}", method.name());
    }
}
