//! Reads the text of an exchange.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Exchange, RecordedAnswer, RecordedRequest};

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
                let answer = answers.last_mut();
                let answer = answer.ok_or_else(|| wrong("a meaning follows an answer"))?;
                let meaning = lines.iter().map(|it| it.trim().to_owned());
                answer.meaning.extend(meaning);
            }
            _ => settings.push(pair(lines[0]).ok_or_else(|| wrong("must be `name: value`"))?),
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
