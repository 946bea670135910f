//! A target that is no Milvus is told apart, and what to correct is said.

use tailtrace::milvus::collection::Setup;
use tailtrace::milvus::{Connection, TargetSettings};

/// What is said of a target that takes connections and answers each, where it answers at all, with `answer`.
fn told_of(scheme: &str, answer: Option<&'static [u8]>) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("{scheme}://{}", listener.local_addr().unwrap());
    if let Some(answer) = answer {
        std::thread::spawn(move || {
            for connection in listener.incoming().take(8) {
                let mut connection = connection.unwrap();
                let _ = connection.read(&mut [0; 16]);
                let _ = connection.write_all(answer);
            }
        });
    } else {
        // Nobody takes the connection from the kernel's hands.
        std::mem::forget(listener);
    }
    let settings = TargetSettings { connect_within: "500ms".parse().unwrap(), ..TargetSettings::at(uri.parse().unwrap()) };
    let connection = Connection::new(&settings, &uri, |_| None).unwrap();
    let error = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        match connection.client().await {
            Ok(client) => Setup::connect(client, &settings, &uri).await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    });
    assert!(error.contains(&uri), "{error}");
    error
}

#[test]
fn what_is_no_milvus_is_told_apart_and_the_key_to_correct_is_named() {
    const HTTP1: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let silent = told_of("http", None);
    assert!(silent.contains("did not answer within 500ms (target.connect_within)"), "{silent}");
    let other = told_of("http", Some(HTTP1));
    assert!(other.contains("does not speak gRPC") && other.contains("correct `target.uri`"), "{other}");
    let plain = told_of("https", Some(HTTP1));
    assert!(plain.contains("write http:// in `target.uri`"), "{plain}");
}
