//! A tolerant reader of shell scripts (POSIX.1-2017, "Shell Command Language"): simple commands
//! with the words they come to and the files they write.
//!
//! It never runs anything. Whatever a value depends on that only a run could tell makes the word
//! uncertain, and nobody concludes anything from an uncertain word.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// A simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    /// It runs under a condition, or more than once.
    pub(crate) conditional: bool,
    /// Its name and arguments; never empty unless it only writes a file.
    pub(crate) words: Vec<Word>,
    /// The files it writes.
    pub(crate) writes: Vec<Word>,
}

/// A word as the shell would pass it on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Part of it depends on what only a run could tell.
    pub(crate) uncertain: bool,
    /// A variable in it that nobody sets.
    pub(crate) unset: Option<String>,
    /// As the name of a file that is written: at its end.
    pub(crate) appends: bool,
    quoted: bool,
}

/// Values of variables; `None`: set to something only a run could tell.
pub(crate) type Variables = HashMap<String, Option<String>>;

/// Words before a command that are no part of it.
const BEFORE: [&str; 17] = [
    "if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "time", "exec", "sudo",
    "command", "builtin", "fi", "done",
];
/// Commands whose arguments may be assignments.
const DECLARES: [&str; 4] = ["export", "local", "readonly", "declare"];

/// Reads a script whose environment is `variables`.
pub(crate) fn read(text: &str, variables: Variables) -> Vec<Command> {
    let mut reader = Reader {
        chars: text.chars().peekable(),
        line: 1,
        variables,
        anything_may_be_set: false,
        commands: Vec::new(),
        current: None,
        word: None,
        expect: Expect::Word,
        bodies: Vec::new(),
        depth: 0,
        after_another: false,
    };
    reader.run();
    reader.commands
}

/// What the next word is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Word,
    /// The target of `>`, or of `>>`.
    Target {
        appends: bool,
    },
    /// The word after `<`, or a descriptor.
    Nothing,
    /// The end mark of a here-document.
    Mark,
}

struct Reader<'t> {
    chars: Peekable<Chars<'t>>,
    line: usize,
    variables: Variables,
    /// Another file was read in, so that a variable nobody sets may be set all the same.
    anything_may_be_set: bool,
    commands: Vec<Command>,
    current: Option<Command>,
    word: Option<Word>,
    expect: Expect,
    /// End marks of here-documents that begin on the next line.
    bodies: Vec<String>,
    /// Conditions and loops we are in.
    depth: usize,
    /// How the command before ended decides whether the next one runs.
    after_another: bool,
}

impl Reader<'_> {
    fn run(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escaped(),
                '\'' => self.single_quoted(),
                '"' => self.double_quoted(),
                '$' => self.dollar(false),
                '`' => self.back_quoted(),
                '#' if self.word.is_none() => while self.next_if(|c| c != '\n').is_some() {},
                '\n' => {
                    self.end_command();
                    self.skip_bodies();
                }
                ' ' | '\t' | '\r' => self.end_word(),
                '&' if self.chars.peek() == Some(&'>') => self.end_word(),
                '&' | '|' if self.chars.peek() == Some(&c) => {
                    self.next();
                    self.end_command();
                    self.after_another = true;
                }
                ';' | '&' | '|' | '(' | ')' => self.end_command(),
                '>' => self.redirect_out(),
                '<' => self.redirect_in(),
                c => self.word().text.push(c),
            }
        }
        self.end_command();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.chars.next_if(|c| wanted(*c));
        self.line += usize::from(c == Some('\n'));
        c
    }

    /// The word under way; it begins here if there is none.
    fn word(&mut self) -> &mut Word {
        let line = self.line;
        let conditional = self.depth > 0 || self.after_another;
        self.current.get_or_insert_with(|| Command {
            line,
            conditional,
            words: Vec::new(),
            writes: Vec::new(),
        });
        self.word.get_or_insert_default()
    }

    fn escaped(&mut self) {
        match self.next() {
            Some('\n') | None => {}
            Some(c) => {
                let word = self.word();
                word.quoted = true;
                word.text.push(c);
            }
        }
    }

    fn single_quoted(&mut self) {
        self.word().quoted = true;
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            self.word().text.push(c);
        }
    }

    fn double_quoted(&mut self) {
        self.word().quoted = true;
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '$' => self.dollar(true),
                '`' => self.back_quoted(),
                '\\' => match self.next_if(|c| matches!(c, '$' | '`' | '"' | '\\' | '\n')) {
                    Some('\n') => {}
                    Some(c) => self.word().text.push(c),
                    None => self.word().text.push('\\'),
                },
                c => self.word().text.push(c),
            }
        }
    }

    fn back_quoted(&mut self) {
        self.word().uncertain = true;
        while let Some(c) = self.next().filter(|c| *c != '`') {
            if c == '\\' {
                self.next();
            }
        }
    }

    fn dollar(&mut self, quoted: bool) {
        match self.chars.peek().copied() {
            Some('(') => {
                self.word().uncertain = true;
                self.skip_nested('(', ')');
            }
            Some('{') => {
                let inside = self.skip_nested('{', '}');
                let end = inside
                    .find(|c: char| !is_of_name(c))
                    .unwrap_or(inside.len());
                let (name, rest) = inside.split_at_checked(end).unwrap_or_default();
                match rest {
                    "" => self.expand(name, quoted),
                    // The value if it is set, else something else.
                    _ if rest.starts_with([':', '-']) && self.value(name).is_some() => {
                        self.expand(name, quoted);
                    }
                    _ => self.word().uncertain = true,
                }
            }
            Some(c) if is_of_name(c) && !c.is_ascii_digit() => {
                let mut name = String::new();
                while let Some(c) = self.next_if(is_of_name) {
                    name.push(c);
                }
                self.expand(&name, quoted);
            }
            Some(c) if c.is_ascii_digit() || "?!#*@-$".contains(c) => {
                self.next();
                self.word().uncertain = true;
            }
            _ => self.word().text.push('$'),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.as_deref()
    }

    fn expand(&mut self, name: &str, quoted: bool) {
        let value = match self.variables.get(name) {
            Some(Some(value)) => value.clone(),
            Some(None) => {
                self.word().uncertain = true;
                return;
            }
            None => {
                let unset = (!self.anything_may_be_set).then(|| name.to_owned());
                let word = self.word();
                word.uncertain = true;
                word.unset = unset;
                return;
            }
        };
        if quoted {
            self.word().text.push_str(&value);
            return;
        }
        // Without quotes the shell cuts the value at blanks.
        for (nth, part) in value.split([' ', '\t', '\n']).enumerate() {
            if nth > 0 {
                self.end_word();
            }
            if !part.is_empty() {
                self.word().text.push_str(part);
            }
        }
    }

    /// Skips to the end of what begins with the next character; the text inside.
    fn skip_nested(&mut self, open: char, close: char) -> String {
        let mut depth = 0_usize;
        let mut inside = String::new();
        while let Some(c) = self.next() {
            if c == open {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            } else if c == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            inside.push(c);
        }
        inside
    }

    fn redirect_out(&mut self) {
        self.drop_descriptor();
        let appends = self.next_if(|c| matches!(c, '>' | '|')) == Some('>');
        self.expect = match self.next_if(|c| matches!(c, '&' | '(')) {
            Some(_) => Expect::Nothing,
            None => Expect::Target { appends },
        };
    }

    fn redirect_in(&mut self) {
        self.drop_descriptor();
        self.expect = Expect::Nothing;
        if self.next_if(|c| c == '<').is_some() && self.next_if(|c| c == '<').is_none() {
            self.next_if(|c| c == '-');
            self.expect = Expect::Mark;
        }
    }

    /// The `2` of `2>` is no word.
    fn drop_descriptor(&mut self) {
        let is_descriptor =
            |word: &Word| !word.quoted && word.text.bytes().all(|b| b.is_ascii_digit());
        if self.word.as_ref().is_some_and(is_descriptor) {
            self.word = None;
        }
        self.end_word();
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        let expect = std::mem::replace(&mut self.expect, Expect::Word);
        let Some(current) = &mut self.current else {
            return;
        };
        match expect {
            Expect::Nothing => {}
            Expect::Mark => self.bodies.push(word.text),
            Expect::Target { appends } => current.writes.push(Word { appends, ..word }),
            Expect::Word => {
                let first = current.words.is_empty();
                if first && !word.quoted && BEFORE.contains(&word.text.as_str()) {
                    match word.text.as_str() {
                        "if" | "while" | "until" => self.depth += 1,
                        "fi" | "done" => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    return;
                }
                let declares = current
                    .words
                    .first()
                    .is_some_and(|name| DECLARES.contains(&name.text.as_str()));
                if (first || declares) && self.assign(&word) {
                    return;
                }
                if let Some(current) = &mut self.current {
                    current.words.push(word);
                }
            }
        }
    }

    fn assign(&mut self, word: &Word) -> bool {
        let Some((name, value)) = word.text.split_once('=') else {
            return false;
        };
        let legal = name.chars().all(is_of_name) && !name.starts_with(|c: char| c.is_ascii_digit());
        if !legal || name.is_empty() {
            return false;
        }
        let value = (!word.uncertain).then(|| value.to_owned());
        self.variables.insert(name.to_owned(), value);
        true
    }

    fn end_command(&mut self) {
        self.end_word();
        self.expect = Expect::Word;
        let Some(command) = self.current.take() else {
            return;
        };
        self.after_another = false;
        let words = &command.words;
        let name = words.first().map_or("", |word| word.text.as_str());
        match name {
            "case" => self.depth += 1,
            "esac" => self.depth = self.depth.saturating_sub(1),
            "for" | "read" => {
                self.depth += usize::from(name == "for");
                for word in words.iter().skip(1) {
                    self.variables.insert(word.text.clone(), None);
                }
            }
            "." | "source" | "eval" => self.anything_may_be_set = true,
            _ => {}
        }
        if !words.is_empty() || !command.writes.is_empty() {
            self.commands.push(command);
        }
    }

    fn skip_bodies(&mut self) {
        for mark in std::mem::take(&mut self.bodies) {
            loop {
                let mut line = String::new();
                while let Some(c) = self.next_if(|c| c != '\n') {
                    line.push(c);
                }
                let ended = self.next().is_none();
                if ended || line.trim_matches(['\t', '\r']) == mark {
                    break;
                }
            }
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests;
