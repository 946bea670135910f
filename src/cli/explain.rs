//! `tailtrace explain`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::clock::{Anchor, now};
use crate::experiment::explain::{self, Answer, Period, Question, Whose};
use crate::report::{self, ExplainLook};
use crate::tail::Verdict;

use super::arguments::ExplainArguments;
use super::exit::{CliError, Status};
use super::output;

pub(super) fn run(arguments: &ExplainArguments) -> Result<Status, CliError> {
    let answer = answer(arguments)?;
    let printed = if let Some(by) = arguments.folded {
        // Stacks have no room for a sentence: where they are of few requests or of none, it is said beside them.
        for stream in answer.explanation.streams.iter().filter(|stream| matches!(stream.verdict, Verdict::None | Verdict::TooFew)) {
            let _ = writeln!(io::stderr(), "{}: {}", stream.name, stream.sentence);
        }
        output::lines(&answer.folded(by))
    } else if arguments.json {
        output::json(&answer.explanation)
    } else {
        let mut out = io::stdout().lock();
        let look = ExplainLook { colours: super::run::colours(io::stdout().is_terminal()), short: false };
        report::write_explanation(&mut out, &answer.explanation, look)
            .and_then(|()| out.flush())
            .map(|()| Status::Passed)
            .map_err(CliError::from)
    };
    match printed {
        // A reader who has seen enough changes nothing about what was found.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status(&answer)),
        Err(error) => Err(error),
        Ok(_) => Ok(status(&answer)),
    }
}

fn answer(arguments: &ExplainArguments) -> Result<Answer, CliError> {
    let question = Question { above: arguments.above, stream: arguments.stream.clone() };
    if let Some(run) = &arguments.run {
        return Ok(explain::explain_run(run, &question)?);
    }
    // clap asks for it with --traces and with --jaeger.
    let service = arguments.service.clone().unwrap_or_default();
    let whose = Whose { service, operation: arguments.operation.clone() };
    if let Some(traces) = &arguments.traces {
        return Ok(explain::explain_traces(traces, &whose, &question)?);
    }
    let url = arguments.jaeger.as_deref().unwrap_or_default();
    let period = Period::last(arguments.last, Anchor::take().unix_ns(now()));
    Ok(explain::explain_jaeger(url, &whose, period, &question)?)
}

/// Too few traces in every stream: nothing is decided.
fn status(answer: &Answer) -> Status {
    if answer.is_too_few() { Status::NotTrusted } else { Status::Passed }
}
