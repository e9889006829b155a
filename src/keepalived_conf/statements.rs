//! Makes words and blocks out of lines.

use super::{Place, Statement};

/// The words of a line, and the braces outside of quotes, which are words of their own.
fn words(line: &str) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let (mut word, mut begun, mut quoted) = (String::new(), false, false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '\\' if quoted && characters.peek() == Some(&'"') => word.extend(characters.next()),
            '{' | '}' if !quoted && !word.ends_with('$') && !word.contains("${") => {
                if begun {
                    words.push((std::mem::take(&mut word), false));
                }
                begun = false;
                words.push((c.to_string(), true));
            }
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push((std::mem::take(&mut word), false));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push((word, false));
    }
    words
}

/// What `lines` say; what is wrong with their braces goes to `troubles`.
pub(crate) fn statements(
    lines: &[(Place, String)],
    troubles: &mut Vec<(Place, String)>,
) -> Vec<Statement> {
    // The blocks that are open, from the outside in.
    let mut open: Vec<Vec<Statement>> = vec![Vec::new()];
    for (place, line) in lines {
        let mut begun = false;
        for (word, brace) in words(line) {
            match (word.as_str(), brace) {
                ("{", true) => {
                    if let Some(owner) = open.last_mut().and_then(|block| block.last_mut()) {
                        owner.open = place.clone();
                    }
                    open.push(Vec::new());
                    begun = false;
                }
                ("}", true) => {
                    begun = false;
                    close(&mut open, place, troubles);
                }
                _ => {
                    let Some(block) = open.last_mut() else {
                        continue;
                    };
                    if !begun {
                        block.push(Statement {
                            place: place.clone(),
                            ..Statement::default()
                        });
                        begun = true;
                    }
                    if let Some(statement) = block.last_mut() {
                        statement.words.push(word);
                    }
                }
            }
        }
    }
    if let (2.., Some((place, _))) = (open.len(), lines.last()) {
        let place = place.clone();
        troubles.push((
            place.clone(),
            "a block is not closed: a } is missing".to_owned(),
        ));
        while open.len() > 1 {
            close(&mut open, &place, troubles);
        }
    }
    open.pop().unwrap_or_default()
}

/// The innermost block becomes that of the statement before it.
fn close(open: &mut Vec<Vec<Statement>>, place: &Place, troubles: &mut Vec<(Place, String)>) {
    if open.len() < 2 {
        troubles.push((place.clone(), "a } too many".to_owned()));
        return;
    }
    let block = open.pop();
    match open.last_mut().and_then(|outer| outer.last_mut()) {
        Some(owner) => owner.block = block,
        None => troubles.push((place.clone(), "a block without a name".to_owned())),
    }
}
