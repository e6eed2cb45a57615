//! A report that appears as a whole.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Collects what is written, so that a run that is broken off leaves the report of the one before, and no half of one.
/// Clones are the same sheet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sheet {
    /// Whether a report could be written to `path`, as far as can be told beforehand.
    ///
    /// # Errors
    /// If there is no directory for it, or it is one.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let parent = path.parent().unwrap_or_else(|| Path::new("/"));
        if fs::metadata(parent)?.is_dir() {
            Ok(())
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// Writes all of it to `path`, in place of the file that is there. What is no file itself, such as a pipe or
    /// a link, even one to a file, stays and is written to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of the link itself: `/dev/stdout` is one, and who is root could replace it.
        if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            return fs::write(path, &*text);
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(".draft");
        fs::write(&draft, &*text)
            .and_then(|()| fs::rename(&draft, path))
            .inspect_err(|_| drop(fs::remove_file(&draft)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("v6lab-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_report_takes_the_place_of_the_one_before_when_it_is_whole() {
        let dir = scratch("whole");
        let path = dir.join("junit.xml");
        fs::write(&path, "before").unwrap();
        let sheet = Sheet::default();
        write!(sheet.clone(), "half ").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        write!(sheet.clone(), "and half").unwrap();
        sheet.save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half and half");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn where_no_report_can_be_is_known_before() {
        let dir = scratch("check");
        let file = dir.join("junit.xml");
        Sheet::check(&file).unwrap();
        Sheet::check(&dir).unwrap_err();
        Sheet::check(&dir.join("missing/junit.xml")).unwrap_err();
        fs::write(&file, "").unwrap();
        Sheet::check(&file.join("junit.xml")).unwrap_err();
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        let sheet = Sheet::default();
        sheet.save(Path::new("/dev/null")).unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let dir = scratch("link");
        let (old, new) = (dir.join("old.xml"), dir.join("new.xml"));
        fs::write(&old, "longer than the report").unwrap();
        let sheet = Sheet::default();
        write!(sheet.clone(), "report").unwrap();
        for target in [&old, &new] {
            let link = target.with_extension("link");
            symlink(target, &link).unwrap();
            sheet.save(&link).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(target).unwrap(), "report");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 4);
        fs::remove_dir_all(dir).unwrap();
    }
}
