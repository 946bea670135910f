use super::*;
use crate::result::requests::sketch;

#[test]
fn a_stream_whose_every_sampled_request_was_asked_for_is_one_of_repeats() {
    let of = |stream: &str, why: &str| Request { stream: stream.into(), why: Some(why.into()), ..sketch(1, 10) };
    let unsampled = |stream: &str| Request { stream: stream.into(), sampled: false, why: None, ..sketch(3, 10) };
    let requests =
        [of("again", "forced"), of("again", "forced"), unsampled("again"), of("both", "forced"), of("both", "ratio"), unsampled("none")];
    assert_eq!(repeats(&requests).into_iter().collect::<Vec<_>>(), ["again"]);
}

#[test]
fn parts_add_up_to_the_response_time_whatever_the_request_says_of_itself() {
    let own = |ns| vec![Part { place: Place { service: "s".into(), span: "Search".into(), path: "Search".into() }.into(), self_ns: ns }];
    // Sent late; a span shorter and one longer than the call; sent after it was done.
    for (sent_ns, done_ns, span_ns) in [(30, 100, 70), (0, 100, 60), (0, 100, 140), (130, 100, 0)] {
        let request = Request { sent_ns, done_ns, ..sketch(1, done_ns) };
        let mut parts = own(span_ns);
        complete(&mut parts, "tailtrace", &request, span_ns);
        assert_eq!(parts.iter().map(|part| part.self_ns).sum::<u64>(), 100, "{sent_ns} {done_ns} {span_ns}: {parts:?}");
    }
}

#[test]
fn what_was_given_up_unseen_is_a_place_of_its_own_where_servers_saw_other_requests() {
    let part = |span: &str, self_ns| Part { place: own_place("tailtrace", span), self_ns };
    let traced = |joined, parts| Traced {
        trace_id: String::new(),
        sequence: None,
        at_ns: 0,
        response_ns: 100,
        weight: 1.0,
        why: None,
        joined,
        parts,
    };
    let given_up = || traced(false, vec![part("Search", 60), part(WAITING_IN_THE_GENERATOR, 30), part(NETWORK_AND_CLIENT, 10)]);
    let charged = |traced: Vec<Traced>| {
        let mut subject = Subject { traced, ..Subject::default() };
        charge_what_nobody_saw(&mut subject);
        let spans = |one: &Traced| one.parts.iter().map(|part| (part.place.span.clone(), part.self_ns)).collect::<Vec<_>>();
        subject.traced.iter().map(spans).collect::<Vec<_>>()
    };
    let [kept, moved]: [Vec<(String, u64)>; 2] = charged(vec![traced(true, vec![part("Search", 100)]), given_up()]).try_into().unwrap();
    assert_eq!(kept, [("Search".to_owned(), 100)]);
    assert_eq!(moved, [(WAITING_IN_THE_GENERATOR.to_owned(), 30), (GIVEN_UP_UNSEEN.to_owned(), 70)]);
    // Where no server's span is there at all, nothing is known of servers.
    assert_eq!(charged(vec![given_up()])[0][0], ("Search".to_owned(), 60));
}

#[test]
fn traces_that_were_asked_for_and_are_not_there_are_missing_and_others_are_not() {
    // Ten for certain, of which three are missing; of forty one in four, of which eight of ten are there; of twelve thousand one in forty,
    // all there and one more, which makes up for nobody elsewhere.
    let chance = |at| {
        if at < 10 {
            1.0
        } else if at < 50 {
            0.25
        } else {
            0.025
        }
    };
    let requests: Vec<Request> = (0..12_050).map(|at| Request { traced_keep_probability: chance(at), ..sketch(at, 10) }).collect();
    let chosen = thinned(requests.iter().map(|request| (request, 1.0)).collect(), MOST_OTHERS);
    assert_eq!(chosen.len(), requests.len(), "some three hundred traces are not too many");
    let there = (0..7).chain(20..28).chain(50..351).map(|at: usize| (requests[at].trace_id.as_deref().unwrap(), at));
    assert_eq!(missing(&chosen, &there.collect()), 3 + 2);
    assert_eq!(missing(&chosen[..0], &HashMap::new()), 0);
}
