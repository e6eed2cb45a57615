//! Words on standard output.

/// Prints a line. A reader that has gone away, as in `v6lab explain how-to | head`, is no reason to end differently.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => {{
        let _ = std::io::Write::write_fmt(
            &mut std::io::stdout().lock(),
            format_args!("{}\n", format_args!($($words)*)),
        );
    }};
}
