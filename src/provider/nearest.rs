//! The name that somebody who mistyped one may have meant.

/// The known name with the fewest changes, if it is near or begins alike.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    let begins_alike =
        |it: &&&str| name.len() > 1 && (it.starts_with(&name) || name.starts_with(**it));
    let closest = known.iter().min_by_key(|it| distance(&name, it))?;
    match distance(&name, closest) {
        ..=2 => Some(closest),
        _ => known.iter().find(begins_alike).copied(),
    }
}

/// How many characters to insert, delete or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, right) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name() {
        let known = ["efi-pix", "inter", "sicoob", "sicredi-pix"];
        for (name, expected) in [
            ("sicob", Some("sicoob")),
            ("Inter", Some("inter")),
            ("efi", Some("efi-pix")),
            ("efi_pix", Some("efi-pix")),
            ("banco-central", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
    }
}
