//! Each thing that a token endpoint can do wrong on one connection, and what is to be made of it.

use tower_oauth::FailureClass::{self, Transient, Unclear};

use crate::script::{
    Script,
    Step::{self, Drip, Flood, HalfClose, Hear, Reset, Stall},
    answer, token_json,
};

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) script: Script,
    pub(crate) kind: &'static str,
    pub(crate) class: FailureClass,
    pub(crate) says: &'static str,
}

pub(crate) fn all_faults() -> Vec<Fault> {
    [stalls(), breaks(), nonsense(), lies()]
        .into_iter()
        .flatten()
        .collect()
}

fn say(text: &str) -> Step {
    Step::Say(text.into())
}

/// The head of a chunked answer.
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// The head of an answer that is longer than what will come.
const LONGER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"access_token\":\"c4n4ry";

fn stalls() -> Vec<Fault> {
    let stall = |name, script| Fault {
        name,
        script,
        kind: "timeout",
        class: Transient,
        says: "did not answer within timeouts.attempt",
    };
    vec![
        stall("stalls before it reads", vec![Stall]),
        stall("stalls after the request", vec![Hear, Stall]),
        stall(
            "stalls in the status line",
            vec![Hear, say("HTTP/1.1 2"), Stall],
        ),
        stall(
            "stalls in the headers",
            vec![Hear, say("HTTP/1.1 200 OK\r\ncontent-le"), Stall],
        ),
        stall("stalls in the body", vec![Hear, say(LONGER), Stall]),
        stall(
            "stalls in a chunk",
            vec![Hear, say(CHUNKED), say("9\r\n{"), Stall],
        ),
        stall(
            "drips a header",
            vec![Hear, say("HTTP/1.1 200 OK\r\nx: "), Drip("x")],
        ),
        stall("drips a body", vec![Hear, say(LONGER), Drip("x")]),
        stall("drips chunks", vec![Hear, say(CHUNKED), Drip("1\r\n \r\n")]),
        stall(
            "says 103 for ever",
            vec![Hear, Flood("HTTP/1.1 103 Early Hints\r\n\r\n", usize::MAX)],
        ),
    ]
}

fn breaks() -> Vec<Fault> {
    let broken = |name, script| Fault {
        name,
        script,
        kind: "unavailable",
        class: Transient,
        says: "the connection to the token endpoint broke",
    };
    vec![
        broken("resets at once", vec![Reset]),
        broken("resets after the request", vec![Hear, Reset]),
        broken(
            "resets in the headers",
            vec![Hear, say("HTTP/1.1 200 OK\r\nx"), Reset],
        ),
        broken("resets in the body", vec![Hear, say(LONGER), Reset]),
        broken("closes at once", vec![]),
        broken("closes after the request", vec![Hear]),
        broken(
            "closes in the headers",
            vec![Hear, say("HTTP/1.1 200 OK\r\nx")],
        ),
        broken("announces more than it sends", vec![Hear, say(LONGER)]),
        broken("closes in a chunk", vec![Hear, say(CHUNKED), say("9\r\n{")]),
        broken(
            "half-closes after the request",
            vec![Hear, HalfClose, Stall],
        ),
        broken(
            "half-closes in the body",
            vec![Hear, say(LONGER), HalfClose, Stall],
        ),
    ]
}

/// What is no HTTP.
fn nonsense() -> Vec<Fault> {
    let nonsense = |name, head: &str| Fault {
        name,
        script: vec![Hear, say(head), Stall],
        kind: "malformed",
        class: Unclear,
        says: "the answer is not HTTP",
    };
    let lengths = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
    vec![
        nonsense("speaks SSH", "SSH-2.0-OpenSSH_9.6\r\n"),
        nonsense("speaks TLS", "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{28}\r\n\r\n"),
        nonsense("has a strange status", "HTTP/1.1 2OO OK\r\n\r\n"),
        nonsense("has a header of no name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
        nonsense("has two lengths", lengths),
        nonsense(
            "has a negative length",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        ),
    ]
}

/// What is HTTP, and no token.
fn lies() -> Vec<Fault> {
    let lie = |name, text: String, class, says| Fault {
        name,
        script: vec![Hear, Step::Say(text)],
        kind: "malformed",
        class,
        says,
    };
    let cut = answer(&token_json("c4n4ry")).replace("content-length: 4", "content-length: ");
    let zipped =
        answer("\u{1f}\u{8}\0c4n4ry").replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n");
    vec![
        lie(
            "announces less than it sends",
            cut,
            Transient,
            "the answer breaks off",
        ),
        lie(
            "compresses unasked",
            zipped,
            Unclear,
            "compressed, which was not asked for",
        ),
        lie(
            "announces nothing and closes",
            "HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"c4n4".into(),
            Transient,
            "the answer breaks off",
        ),
        lie(
            "answers without a body",
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            Transient,
            "the answer is empty",
        ),
    ]
}
