//! A replay's command line once more, with other repeats.

/// The command that was typed, with `--times` changed to so many. `None` where it is not known.
pub(super) fn with_times(command: &[String], times: u64) -> Option<String> {
    let mut words = command.iter().skip(1);
    words.next().filter(|word| *word == "replay")?;
    let mut typed = vec!["tailtrace".to_owned(), "replay".to_owned()];
    while let Some(word) = words.next() {
        if word == "--times" {
            words.next();
        } else if !word.starts_with("--times=") {
            typed.push(quoted(word));
        }
    }
    typed.push(format!("--times {times}"));
    Some(typed.join(" "))
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(command: &str) -> Option<String> {
        with_times(&command.split('|').map(str::to_owned).collect::<Vec<_>>(), 48)
    }

    #[test]
    fn all_but_the_repeats_stays_as_it_was_typed() {
        let typed = "target/release/tailtrace|replay|results/1|--top|5|--times|3|--load|none|--set|practice.slow_span={ by = \"2ms\" }";
        let expected = "tailtrace replay results/1 --top 5 --load none --set 'practice.slow_span={ by = \"2ms\" }' --times 48";
        assert_eq!(again(typed).as_deref(), Some(expected));
        assert_eq!(again("tailtrace|replay|--times=3|it's here").as_deref(), Some(r"tailtrace replay 'it'\''s here' --times 48"));
        assert_eq!((again("tailtrace|run|s.toml"), with_times(&[], 48)), (None, None), "a library's caller typed nothing");
    }
}
