use super::*;
use crate::tail::sketch::sketch;

fn names(trace: &Trace, service: &str, operation: Option<&str>) -> Vec<String> {
    client_spans(trace, service, operation).iter().map(|span| span.name.clone()).collect()
}

#[test]
fn the_client_spans_of_a_foreign_trace_are_its_calls() {
    let trace = sketch(
        "app page 0 1000\n app insert 10 100 internal\n  app svc/Insert 20 80 client\n   s svc/Insert 30 60 server\n app svc/Search 200 50 client\n  s svc/Search 210 30 server\n app svc/Search 150 20 client",
    );
    assert_eq!(names(&trace, "app", None), ["svc/Insert", "svc/Search", "svc/Search"], "by kind, by start");
    assert_eq!(names(&trace, "app", Some("Search")).len(), 2, "behind the last /");
    assert_eq!(names(&trace, "app", Some("page")), ["page"]);
    assert_eq!(names(&trace, "s", Some("svc/Search")), ["svc/Search"]);
    assert_eq!(names(&trace, "app", Some("Delete")), [""; 0]);
    assert_eq!(names(&trace, "other", None), [""; 0]);
}

#[test]
fn without_kinds_the_callers_are_the_client_spans_and_without_calls_the_uppermost() {
    let trace = sketch("app page 0 1000\n app call 20 80\n  s Insert 30 60\n app render 200 50");
    assert_eq!(names(&trace, "app", None), ["call"]);
    assert_eq!(names(&trace, "s", None), ["Insert"]);
    let alone = sketch("app page 0 1000\n app call 20 80\napp other 30 5\n app below 31 1");
    assert_eq!(names(&alone, "app", None), ["page", "other"]);
}

#[test]
fn of_calls_below_each_other_the_uppermost_counts_even_with_spans_between_and_circles() {
    let nested = sketch("app search 0 100 client\n app retry 10 80 internal\n  app search 20 60 client\n   s Search 30 40 server");
    assert_eq!(client_spans(&nested, "app", None).len(), 1);
    assert_eq!(client_spans(&nested, "app", Some("search"))[0].duration_ns, 100_000);
    let mut circle = nested.clone();
    circle.spans[0].parent = Some(circle.spans[1].id.clone());
    assert_eq!(client_spans(&circle, "app", None).len(), 1);
    circle.spans[2].parent = Some(circle.spans[2].id.clone());
    assert_eq!(client_spans(&circle, "app", None).len(), 2, "nothing is above either of them");
}
