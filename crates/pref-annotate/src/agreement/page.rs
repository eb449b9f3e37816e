//! Agreement as an HTML page without scripts. In: numbers. Out: one file. No text of the data or of a judge is in it.

use super::compare::Agreement;
use super::table::shown;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}\
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid #ddd}\
th:first-child,td:first-child,th:nth-child(2).t,td.t{text-align:left}.bar{display:flex;width:30rem;height:1.3rem}\
.bar span{overflow:hidden;font-size:.75rem;text-align:center;color:#111}\
.s0{background:#d7301f}.s1{background:#fc8d59}.s2{background:#fdcc8a}.s3{background:#bdc9e1}.s4{background:#74a9cf}";

impl Agreement {
    /// The page.
    pub fn page(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Agreement of a judge</title>\n<style>{STYLE}</style>\n<h1>Agreement of a judge</h1>\n"
        );
        for note in self.notes() {
            page.push_str(&format!("<p>{note}.</p>\n"));
        }
        if !self.aspects.is_empty() {
            page.push_str("<h2>Agreement with people</h2>\n<p>Numbers in brackets are 95 % intervals, from a bootstrap over pairs. Labels that the judge lacks are counted as missing and are not part of the numbers beside them.</p>\n<table><tr><th>aspect<th>labels<th>missing<th>Cohen’s κ<th>quadratic κ<th>accuracy<th>majorities<th>missing<th>majority agreement\n");
        }
        for a in &self.aspects {
            let cells = [
                a.aspect.to_owned(),
                a.n_labels.to_string(),
                a.n_missing.to_string(),
                shown(a.kappa),
                shown(a.weighted_kappa),
                shown(a.accuracy),
                a.n_majorities.to_string(),
                a.n_majorities_missing.to_string(),
                shown(a.majority),
            ];
            page.push_str("<tr>");
            cells
                .iter()
                .for_each(|cell| page.push_str(&format!("<td>{cell}")));
            page.push('\n');
        }
        if !self.aspects.is_empty() {
            page.push_str("</table>\n");
        }
        page.push_str("<h2>Scores of the judge</h2>\n<table><tr><th>aspect<th class=\"t\">answer<th>segments<th class=\"t\">scores 0 to 4\n");
        for d in &self.distributions {
            let n: u64 = d.counts.iter().sum();
            let mut bar = String::new();
            for (score, count) in d.counts.iter().enumerate() {
                let share = 100.0 * *count as f64 / n as f64;
                if *count > 0 {
                    bar.push_str(&format!("<span class=\"s{score}\" style=\"width:{share:.2}%\" title=\"score {score}: {share:.1} %\">{score}</span>"));
                }
            }
            page.push_str(&format!(
                "<tr><td>{}<td class=\"t\">{}<td>{n}<td><div class=\"bar\">{bar}</div>\n",
                d.aspect, d.side
            ));
        }
        page.push_str("</table>\n</html>\n");
        page
    }
}
