//! A file of rows that is written over several runs of a command. In: rows. Out: `NAME.part` while rows are
//! missing, and `NAME` when it is complete.
//!
//! `NAME.part.json` records what the rows were made with, so that a later run adds only rows of the same kind.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pref_model::{replace_file, write_file};
use serde_json::Value;

/// A file of JSON Lines that is not complete yet.
pub(crate) struct PartialFile {
    target: PathBuf,
    part: PathBuf,
    origin: PathBuf,
    file: File,
    /// The rows of earlier runs that were not compared with the input so far.
    done: BufReader<File>,
    n_done: usize,
}

impl PartialFile {
    /// Opens the file of an earlier run that did not end, or begins a new one. `origin` describes what the
    /// rows are made with.
    pub(crate) fn open(target: &Path, origin: &Value) -> Result<Self> {
        let shown = target.display();
        ensure!(
            !target.exists(),
            "{shown} already exists; move it away, or choose another --output"
        );
        let with_ending = |ending: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (part, record) = (with_ending(".part"), with_ending(".part.json"));
        let at_part = || part.display().to_string();
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        if part.exists() {
            let text = fs::read_to_string(&record).unwrap_or_default();
            let before: Option<Value> = serde_json::from_str(&text).ok();
            ensure!(
                before.as_ref() == Some(origin),
                "{} was begun with another model or other settings; give the same ones, remove it to begin again, or choose another --output",
                part.display()
            );
        } else {
            write_file(&record, format!("{origin:#}\n").as_bytes())
                .with_context(|| record.display().to_string())?;
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&part)
            .with_context(at_part)?;
        if file.try_lock().is_err() {
            bail!(
                "{} is in use by another `pref`; wait for it to end",
                part.display()
            );
        }
        let n_done = cut_after_last_line(&file).with_context(at_part)?;
        let done = BufReader::new(File::open(&part).with_context(at_part)?);
        Ok(Self {
            target: target.to_owned(),
            part,
            origin: record,
            file,
            done,
            n_done,
        })
    }

    /// Number of rows that earlier runs wrote and that were not taken by
    /// [`next_done`](Self::next_done) so far.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done
    }

    /// The next row that an earlier run wrote. `None` after the last one.
    pub(crate) fn next_done(&mut self) -> Result<Option<Value>> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let row = serde_json::from_str(&line);
        row.map(Some)
            .with_context(|| self.part.display().to_string())
    }

    /// The next line that an earlier run wrote, with its line end. `None` after the last one.
    pub(crate) fn next_line(&mut self) -> Result<Option<String>> {
        if self.n_done == 0 {
            return Ok(None);
        }
        self.n_done -= 1;
        let mut line = String::new();
        let at = || self.part.display().to_string();
        self.done.read_line(&mut line).with_context(at)?;
        Ok(Some(line))
    }

    /// Adds rows, each a JSON object in one line.
    pub(crate) fn write(&mut self, rows: &[String]) -> Result<()> {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let written = self.file.write_all(lines.as_bytes());
        written.with_context(|| self.part.display().to_string())
    }

    /// Writes the file from parts of the lines, and removes them. `places` are the parts in the order of the file: where
    /// each begins, and its number of bytes.
    pub(crate) fn finish_in_order(self, places: impl Iterator<Item = (u64, usize)>) -> Result<()> {
        let at_part = || self.part.display().to_string();
        let mut part = BufReader::new(File::open(&self.part).with_context(at_part)?);
        let written = replace_file(&self.target, |file| -> Result<()> {
            let mut file = BufWriter::new(file);
            let mut line = Vec::new();
            for (start, n_bytes) in places {
                line.resize(n_bytes, 0);
                part.seek(SeekFrom::Start(start))?;
                part.read_exact(&mut line)?;
                line.push(b'\n');
                file.write_all(&line)?;
            }
            Ok(file.flush()?)
        });
        written.with_context(|| self.target.display().to_string())?;
        // If they cannot be removed, they only take space.
        let _ = fs::remove_file(&self.part);
        let _ = fs::remove_file(&self.origin);
        Ok(())
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.target).with_context(|| self.target.display().to_string())?;
        // If it cannot be removed, it only takes space.
        let _ = fs::remove_file(&self.origin);
        Ok(())
    }
}

/// Removes an incomplete line at the end of a file. The result is the number of complete lines.
fn cut_after_last_line(file: &File) -> std::io::Result<usize> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut n_lines, mut end) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n_bytes = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        n_lines += 1;
        end += n_bytes as u64;
    }
    file.set_len(end)?;
    Ok(n_lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_goes_on_after_its_last_complete_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.jsonl");
        let origin = json!({"model": "a"});
        let mut file = PartialFile::open(&path, &origin).unwrap();
        assert!(file.next_done().unwrap().is_none());
        let rows = [1, 2, 3].map(|row| json!({"row": row}).to_string());
        file.write(&rows[..2]).unwrap();
        assert!(PartialFile::open(&path, &origin).is_err(), "it is locked");
        file.file.write_all(b"{\"row\"").unwrap();
        drop(file);

        assert!(PartialFile::open(&path, &json!({"model": "b"})).is_err());
        let mut file = PartialFile::open(&path, &origin).unwrap();
        assert_eq!(file.n_done(), 2);
        assert_eq!(file.next_done().unwrap(), Some(json!({"row": 1})));
        assert_eq!(file.next_done().unwrap(), Some(json!({"row": 2})));
        assert_eq!(file.next_done().unwrap(), None);
        file.write(&rows[2..]).unwrap();
        file.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"row\":1}\n{\"row\":2}\n{\"row\":3}\n");
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1);
        assert!(PartialFile::open(&path, &origin).is_err(), "it is complete");
    }
}
