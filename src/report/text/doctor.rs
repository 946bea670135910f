//! The chain of the doctor for people: a line a link as it is found, below each broken one what to do, and a sentence at the end.

use std::io::{self, Write};

use crate::experiment::{Diagnosis, Link};

use super::layout::{Paint, wrap};

/// Where what was seen begins: behind the mark and the longest link's name.
const COLUMN: usize = 18;
/// Lines are broken here.
const WIDTH: usize = 100;

/// Writes one link.
pub fn write_link(out: &mut dyn Write, link: &Link, colours: bool) -> io::Result<()> {
    let paint = Paint { on: colours };
    let mark = match link.ok {
        Some(true) => paint.good("✓"),
        Some(false) => paint.bad("✗"),
        None => "-".to_owned(),
    };
    write!(out, "{mark} {:<width$}", link.name, width = COLUMN - 2)?;
    paragraph(out, "", &link.seen)?;
    for (label, text) in [("cause: ", &link.cause), ("change: ", &link.fix)] {
        if let Some(text) = text.as_ref().filter(|_| link.ok == Some(false)) {
            write!(out, "{:COLUMN$}", "")?;
            paragraph(out, label, text)?;
        }
    }
    Ok(())
}

/// Writes what stands below the links.
pub fn write_diagnosis(out: &mut dyn Write, diagnosis: &Diagnosis, colours: bool) -> io::Result<()> {
    writeln!(out)?;
    for note in &diagnosis.notes {
        for line in wrap(&format!("note: {note}"), WIDTH) {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out, "{}", Paint { on: colours }.bold(&sentence(diagnosis)))
}

fn sentence(diagnosis: &Diagnosis) -> String {
    let broken: Vec<&str> = diagnosis.broken().map(|link| link.name.as_str()).collect();
    if !broken.is_empty() {
        format!("The chain is broken at: {}.", broken.join(", "))
    } else if diagnosis.whole {
        "The chain is whole: traces of sampled requests come through, client and server joined.".to_owned()
    } else {
        "Nothing is seen to be broken, but not every link could be looked at.".to_owned()
    }
}

/// Text behind a label; further lines stand under the column.
fn paragraph(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    for (at, line) in wrap(&format!("{label}{text}"), WIDTH - COLUMN).iter().enumerate() {
        if at > 0 {
            write!(out, "{:COLUMN$}", "")?;
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_link_has_its_cause_and_what_to_change_below_it() {
        let link = |name: &str, ok, seen: &str| Link { name: name.to_owned(), ok, seen: seen.to_owned(), cause: None, fix: None };
        let broken =
            Link { cause: Some("it is shut".to_owned()), fix: Some("open it".to_owned()), ..link("collector", Some(false), "no answer") };
        let later = Link { name: "jaeger".to_owned(), seen: "silence".to_owned(), ..broken.clone() };
        let links = vec![link("target", Some(true), "v2"), broken, link("clocks", None, "not looked at"), later];
        let diagnosis = Diagnosis { whole: false, links, trace_id: None, notes: Vec::new() };
        let mut out = Vec::new();
        for link in &diagnosis.links {
            write_link(&mut out, link, false).unwrap();
        }
        write_diagnosis(&mut out, &diagnosis, false).unwrap();
        let expected = "\
✓ target          v2
✗ collector       no answer
                  cause: it is shut
                  change: open it
- clocks          not looked at
✗ jaeger          silence
                  cause: it is shut
                  change: open it

The chain is broken at: collector, jaeger.
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
