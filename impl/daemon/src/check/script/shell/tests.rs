use proptest::prelude::*;

use super::*;

fn commands(text: &str) -> Vec<(usize, String)> {
    let variables = Variables::from([("INTERFACE".to_owned(), Some("vpn".to_owned()))]);
    let shown = |word: &Word| match word.uncertain {
        true => format!("{}?", word.text),
        false => word.text.clone(),
    };
    read(text, variables)
        .iter()
        .map(|command| {
            let mut words: Vec<String> = command.words.iter().map(shown).collect();
            words.extend(
                command
                    .writes
                    .iter()
                    .map(|word| format!(">{}", shown(word))),
            );
            (command.line, words.join(" "))
        })
        .collect()
}

fn one(text: &str) -> String {
    let mut found = commands(text);
    assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    found.remove(0).1
}

#[test]
fn variables_are_expanded_however_they_are_written() {
    for text in [
        "ip link set $INTERFACE up",
        "ip link set ${INTERFACE} up # on",
        "ip link set \"$INTERFACE\" up",
        "ip link set ${INTERFACE:-x} up;",
        "if ip link set 'vpn' up",
        "dev=$INTERFACE; ip link set $dev up",
        "rest=\"$INTERFACE up\"\nip link set $rest",
        "ip link \\\n set vp\\n up < /dev/null",
    ] {
        assert_eq!(one(text), "ip link set vpn up", "{text:?}");
    }
}

#[test]
fn what_is_quoted_is_not_expanded() {
    assert_eq!(
        one("ip link set '$INTERFACE' up"),
        "ip link set $INTERFACE up"
    );
    assert_eq!(
        one("ip link set \\$INTERFACE up"),
        "ip link set $INTERFACE up"
    );
    assert_eq!(
        one("ip link set \"\\$INTERFACE\" up"),
        "ip link set $INTERFACE up"
    );
}

#[test]
fn what_only_a_run_could_tell_is_uncertain() {
    for text in [
        "a $(b; c)",
        "a `b`",
        "a $1",
        "a ${x#y}",
        "for i in 1; do a $i; done",
    ] {
        assert!(
            commands(text)
                .iter()
                .any(|(_, words)| words.starts_with("a ?")),
            "{text}"
        );
    }
    let unset = read("ip link set $IFACE up", Variables::new());
    assert_eq!(unset[0].words[3].unset.as_deref(), Some("IFACE"));
    let sourced = read(". /etc/x\nip link set $IFACE up", Variables::new());
    assert_eq!(sourced[1].words[3].unset, None);
}

#[test]
fn commands_keep_the_line_they_begin_on() {
    let text = "#!/bin/sh\n\n# a\nb \\\n  c\nd && e | f\ncat << END\nip link set up\nEND\ng\n";
    let found = commands(text);
    let wanted = [
        (4, "b c"),
        (6, "d"),
        (6, "e"),
        (6, "f"),
        (7, "cat"),
        (10, "g"),
    ];
    assert_eq!(found, wanted.map(|(line, words)| (line, words.to_owned())));
}

#[test]
fn files_that_are_written_are_told_from_words() {
    assert_eq!(one("echo 1 > /proc/x 2>&1"), "echo 1 >/proc/x");
    assert_eq!(one("echo 1 >>x"), "echo 1 >x");
    assert_eq!(one("> x"), ">x");
    assert_eq!(one("a 2>/dev/null"), "a >/dev/null");
    assert_eq!(one("a < b"), "a");
}

proptest! {
    #[test]
    fn any_text_is_read(text in "[\\PC\n\t]*") {
        read(&text, Variables::new());
    }

    #[test]
    fn any_soup_of_signs_is_read(text in "[a$(){}'\"`\\\\<>|&; \n#=-]{0,60}") {
        read(&text, Variables::new());
    }
}
