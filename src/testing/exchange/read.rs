//! Reads the text of an exchange.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Exchange, RecordedAnswer, RecordedRequest};

/// The settings of the first lines.
const SETTINGS: [&str; 14] = [
    "provider",
    "environment",
    "client_id",
    "client_secret",
    "scopes",
    "token_header",
    "token_param",
    "header_value",
    "assertion",
    "assertion_audience",
    "assertion_lifetime",
    "assertion_claim",
    "documented",
    "composed",
];

/// The classes of an error, as in `FailureClass`.
const CLASSES: [&str; 3] = ["transient", "permanent", "unclear"];

/// A run of lines that begin with the same mark, without it. The first is the number of its line.
type Block<'a> = (usize, char, Vec<&'a str>);

pub(super) fn exchange(text: &str) -> Result<Exchange, String> {
    let mut settings = Vec::new();
    let mut request = None;
    let mut answers: Vec<RecordedAnswer> = Vec::new();
    for (line, mark, lines) in blocks(text) {
        let wrong = |what: &str| format!("line {line}: {what}");
        match mark {
            '>' if request.is_some() => return Err(wrong("there is one request in an exchange")),
            '>' => request = Some(recorded_request(&lines).map_err(|it| wrong(&it))?),
            '<' => answers.push(recorded_answer(&lines).map_err(|it| wrong(&it))?),
            '=' => {
                let is_good = answers.len() == 1;
                let answer = answers.last_mut();
                let answer = answer.ok_or_else(|| wrong("a meaning follows an answer"))?;
                if !answer.meaning.is_empty() {
                    return Err(wrong("an answer has one meaning, in lines without a gap"));
                }
                answer.meaning = meaning(&lines, is_good).map_err(|it| wrong(&it))?;
            }
            _ => settings.push(setting(lines[0]).map_err(|it| wrong(&it))?),
        }
    }
    let request = request.ok_or("there is no request: lines that begin with `>`")?;
    if let Some(unclear) = answers.iter().find(|it| it.meaning.is_empty()) {
        let status = unclear.status;
        return Err(format!(
            "the answer {status} has no meaning: a line that begins with `=`"
        ));
    }
    match answers.is_empty() {
        true => Err("there is no answer: lines that begin with `<`".into()),
        false => Ok(Exchange {
            settings,
            request,
            answers,
        }),
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()) {
        let mark = text
            .chars()
            .next()
            .filter(|it| ['>', '<', '='].contains(it));
        let Some(mark) = mark else {
            goes_on = false;
            if !text.trim().is_empty() && !text.starts_with('#') {
                blocks.push((line, ' ', vec![text]));
            }
            continue;
        };
        let rest = text[1..].strip_prefix(' ').unwrap_or(&text[1..]);
        match blocks.last_mut() {
            Some((_, known, lines)) if goes_on && *known == mark => lines.push(rest),
            _ => blocks.push((line, mark, vec![rest])),
        }
        goes_on = true;
    }
    blocks
}

fn setting(line: &str) -> Result<(String, String), String> {
    let (name, value) = pair(line).ok_or("must be `name: value`")?;
    match SETTINGS.contains(&name.as_str()) {
        true => Ok((name, value)),
        false => Err(format!(
            "there is no setting of this name; known: {}",
            SETTINGS.join(", ")
        )),
    }
}

fn meaning(lines: &[&str], is_good: bool) -> Result<Vec<String>, String> {
    let lines: Vec<_> = lines.iter().map(|it| it.trim().to_owned()).collect();
    let is_number = |it: Option<&str>| it.is_some_and(|it| it.trim().parse::<f64>().is_ok());
    let is_seconds = |line: &str, name| is_number(line.strip_prefix(name));
    let of_token = |line: &String| {
        is_seconds(line, "lifetime ") || is_seconds(line, "margin ") || pair(line).is_some()
    };
    match is_good {
        true if !lines.iter().all(of_token) => Err(
            "the good answer means `lifetime SECONDS`, `margin SECONDS` or a header of the API call, `name: value`"
                .into(),
        ),
        false if !CLASSES.contains(&lines[0].as_str()) => Err(format!(
            "the meaning of an error begins with its class: {}",
            CLASSES.join(", ")
        )),
        _ => Ok(lines),
    }
}

fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ")?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn recorded_request(lines: &[&str]) -> Result<RecordedRequest, String> {
    let path = lines[0].strip_prefix("POST ");
    let path = path.ok_or("a token request begins with `POST /path`")?;
    let (headers, body) = message(&lines[1..])?;
    Ok(RecordedRequest {
        path: path.trim().to_owned(),
        headers,
        body,
    })
}

fn recorded_answer(lines: &[&str]) -> Result<RecordedAnswer, String> {
    let status = lines[0].trim().parse::<StatusCode>();
    let status = status.map_err(|_| "an answer begins with its status, such as `200`")?;
    let (headers, body) = message(&lines[1..])?;
    Ok(RecordedAnswer {
        status,
        headers,
        body,
        meaning: Vec::new(),
    })
}

/// Headers, an empty line, and the body.
fn message(lines: &[&str]) -> Result<(HeaderMap, String), String> {
    let mut headers = HeaderMap::new();
    let mut lines = lines.iter();
    for line in lines.by_ref().take_while(|it| !it.is_empty()) {
        let header = pair(line).and_then(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            let value: HeaderValue = value.parse().ok()?;
            Some((name, value))
        });
        let (name, value) = header.ok_or("a header is written `name: value`")?;
        headers.append(name, value);
    }
    let body: Vec<_> = lines.copied().collect();
    Ok((headers, body.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
        # a comment\n\
        provider: x\n\n\
        > POST /token\n> accept: a\n>\n> a=b\n\n\
        < 200\n<\n< {}\n\n= lifetime 60\n= margin 12\n= authorization: Bearer t\n\n\
        < 401\n< x-reason: b\n<\n\n= unclear\n= judgement: ours\n= wait 60\n";

    #[test]
    fn an_exchange_is_read_line_by_line() {
        let read = exchange(GOOD).unwrap();
        assert_eq!(read.setting("provider"), Some("x"));
        assert_eq!(
            (read.request.path.as_str(), read.request.body.as_str()),
            ("/token", "a=b")
        );
        assert_eq!(read.request.headers["accept"], "a");
        assert_eq!(read.answers()[0].body, "{}");
        assert_eq!(read.answers()[1].headers["x-reason"], "b");
        assert_eq!(read.answers()[1].body, "");
        assert_eq!(
            read.answers()[1].meaning,
            ["unclear", "judgement: ours", "wait 60"]
        );
        // As git gives it out on Windows.
        let read = exchange(&GOOD.replace('\n', "\r\n")).unwrap();
        assert_eq!(read.request.body, "a=b");
    }

    #[test]
    fn what_cannot_be_read_names_the_line() {
        for (from, to, says) in [
            ("provider: x", "provider x", "line 2: must be `name: value`"),
            (
                "provider: x",
                "scope: x",
                "line 2: there is no setting of this name; known: provider",
            ),
            (
                "POST /token",
                "GET /token",
                "line 4: a token request begins with `POST /path`",
            ),
            (
                "> accept: a",
                "> accept",
                "line 4: a header is written `name: value`",
            ),
            ("< 200", "< OK", "line 9: an answer begins with its status"),
            (
                "lifetime 60",
                "lifetime an hour",
                "line 13: the good answer means `lifetime SECONDS`",
            ),
            (
                "= unclear",
                "= vague",
                "line 21: the meaning of an error begins with its class: transient",
            ),
            (
                "\n> a=b\n",
                "\n> a=b\n\n> POST /b\n",
                "line 9: there is one request in an exchange",
            ),
        ] {
            let error = exchange(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.starts_with(says), "{to}: {error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, says) in [
            ("", "there is no request: lines that begin with `>`"),
            (
                "> POST /token\n",
                "there is no answer: lines that begin with `<`",
            ),
            ("= lifetime 1\n", "line 1: a meaning follows an answer"),
            (
                "> POST /token\n\n< 200\n",
                "the answer 200 OK has no meaning: a line that begins with `=`",
            ),
        ] {
            assert_eq!(exchange(text).unwrap_err(), says);
        }
    }
}
