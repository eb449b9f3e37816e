//! Checksums of the files of a folder. In: files as they are written. Out: a file `XXH128SUMS` in the
//! same folder, and an error that names a file whose bytes changed.
//!
//! The hash is XXH3 with 128 bits. It finds damage, not tampering, and it is as fast as reading from
//! memory: it needs about one second for 10 GB, and SHA-256 needs five to thirty. `XXH128SUMS` has one line
//! per file, `<32 hexadecimal digits>  <name>`, so `xxh128sum -c XXH128SUMS` checks the folder too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use twox_hash::XxHash3_128;

use super::atomic::write_file;

/// Number of bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A file cannot be checked, or its bytes differ from the saved bytes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChecksumError {
    /// The file system reported an error.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A line of `XXH128SUMS` is not a checksum.
    #[error(
        "{}:{line}: `{found}` is not a checksum; expected 32 hexadecimal digits, two spaces and a file name; if you know that the files of the folder are good, remove {}",
        path.display(), Checksums::FILE
    )]
    Line {
        /// The file of checksums.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The content of the line.
        found: String,
    },
    /// The bytes of a file differ from the saved bytes.
    #[error(
        "{}: the file is not as it was saved: its checksum is {found}, but {} says {expected}; copy or download it again, or remove its line there if you changed it on purpose",
        path.display(), Checksums::FILE
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// Checksum of its bytes, in hexadecimal.
        found: String,
        /// Checksum of what was saved.
        expected: String,
    },
}

/// The checksums of the files of a folder, by file name. A file without a checksum is not checked.
///
/// ```
/// use pref_model::Checksums;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.json");
/// std::fs::write(&path, "{}")?;
///
/// let mut sums = Checksums::of_folder(folder.path())?; // none yet
/// sums.insert("state.json", b"{}");
/// sums.write(folder.path())?;
///
/// Checksums::of_folder(folder.path())?.check(&path, b"{}")?;
/// assert!(Checksums::of_folder(folder.path())?.check(&path, b"[]").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    sums: BTreeMap<String, u128>,
}

impl Checksums {
    /// Name of the file that holds the checksums. Programs that load models ignore it.
    pub const FILE: &str = "XXH128SUMS";

    /// The checksums of a folder. There are none if the folder has no `XXH128SUMS`.
    ///
    /// # Errors
    /// [`ChecksumError`] if `XXH128SUMS` cannot be read or parsed.
    pub fn of_folder(folder: &Path) -> Result<Self, ChecksumError> {
        let path = folder.join(Self::FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ChecksumError::File { path, source }),
        };
        let mut sums = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let (name, sum) = parse(line).ok_or_else(|| ChecksumError::Line {
                path: path.clone(),
                line: index + 1,
                found: line.chars().take(80).collect(),
            })?;
            sums.insert(name, sum);
        }
        Ok(Self { sums })
    }

    /// Adds or replaces the checksum of a file; `bytes` is the content of the file.
    pub fn insert(&mut self, name: &str, bytes: &[u8]) {
        self.sums
            .insert(name.to_owned(), XxHash3_128::oneshot(bytes));
    }

    /// Adds or replaces the checksum of a file, whose content is read from `path`.
    ///
    /// # Errors
    /// [`ChecksumError::File`] if the file cannot be read.
    pub(crate) fn insert_file(&mut self, name: &str, path: &Path) -> Result<(), ChecksumError> {
        self.sums.insert(name.to_owned(), of_file(path)?);
        Ok(())
    }

    /// Removes the checksum of a file.
    pub fn remove(&mut self, name: &str) {
        self.sums.remove(name);
    }

    /// Whether a file has a checksum.
    pub fn contains(&self, name: &str) -> bool {
        self.sums.contains_key(name)
    }

    /// Names of the files that have a checksum.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sums.keys().map(String::as_str)
    }

    /// Compares the bytes of a file with its checksum. A file without a checksum passes.
    ///
    /// # Errors
    /// [`ChecksumError::Differs`] names the file.
    pub fn check(&self, path: &Path, bytes: &[u8]) -> Result<(), ChecksumError> {
        match self.of_path(path) {
            None => Ok(()),
            Some(expected) => compare(path, XxHash3_128::oneshot(bytes), expected),
        }
    }

    /// Reads a file in pieces and compares it with its checksum. A file without a checksum passes.
    ///
    /// # Errors
    /// [`ChecksumError`] names the file. A file that has a checksum must exist.
    pub fn check_file(&self, path: &Path) -> Result<(), ChecksumError> {
        match self.of_path(path) {
            None => Ok(()),
            Some(expected) => compare(path, of_file(path)?, expected),
        }
    }

    /// Writes `XXH128SUMS` into a folder. The file is complete or unchanged at any moment.
    ///
    /// # Errors
    /// [`ChecksumError::File`] if the file system reports an error.
    pub fn write(&self, folder: &Path) -> Result<(), ChecksumError> {
        let line = |(name, sum): (&String, &u128)| format!("{sum:032x}  {name}\n");
        let text: String = self.sums.iter().map(line).collect();
        let path = folder.join(Self::FILE);
        write_file(&path, text.as_bytes()).map_err(|source| ChecksumError::File { path, source })
    }

    fn of_path(&self, path: &Path) -> Option<u128> {
        self.sums.get(path.file_name()?.to_str()?).copied()
    }
}

/// Adds the checksums of some files of a folder to its `XXH128SUMS`.
///
/// # Errors
/// [`ChecksumError::File`] for a file that cannot be read or written.
pub fn add_checksums(folder: &Path, names: &[&str]) -> Result<(), ChecksumError> {
    let mut sums = Checksums::of_folder(folder)?;
    for name in names {
        sums.insert_file(name, &folder.join(name))?;
    }
    sums.write(folder)
}

/// Checks every file of a folder that has a checksum.
///
/// # Errors
/// [`ChecksumError`] names the first file that is missing or has other bytes.
pub fn verify_checksums(folder: &Path) -> Result<(), ChecksumError> {
    let sums = Checksums::of_folder(folder)?;
    sums.names()
        .try_for_each(|name| sums.check_file(&folder.join(name)))
}

fn compare(path: &Path, found: u128, expected: u128) -> Result<(), ChecksumError> {
    match found == expected {
        true => Ok(()),
        false => Err(ChecksumError::Differs {
            path: path.to_owned(),
            found: format!("{found:032x}"),
            expected: format!("{expected:032x}"),
        }),
    }
}

/// The name and the checksum of a line `<32 hexadecimal digits>  <name>`. The name has no folder.
fn parse(line: &str) -> Option<(String, u128)> {
    let (sum, name) = line.split_once("  ")?;
    let is_sum = sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_hexdigit());
    let is_plain = Path::new(name).file_name() == Some(name.as_ref());
    let sum = u128::from_str_radix(sum, 16).ok()?;
    (is_sum && is_plain).then(|| (name.to_owned(), sum))
}

fn of_file(path: &Path) -> Result<u128, ChecksumError> {
    let failed = |source| ChecksumError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = twox_hash::xxhash3_128::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hasher.finish_128()),
            n => hasher.write(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    /// Values of the reference implementation in C.
    #[test]
    fn the_hash_is_that_of_xxh128sum() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, expected) in [
            (Vec::new(), 0x99aa_06d3_0147_98d8_6001_c324_468d_497f_u128),
            (b"abc".to_vec(), 0x06b0_5ab6_733a_6185_78af_5f94_892f_3950),
        ] {
            assert_eq!(XxHash3_128::oneshot(&bytes), expected);
            let path = folder.path().join("file");
            fs::write(&path, &bytes).unwrap();
            assert_eq!(of_file(&path).unwrap(), expected);
        }
        // longer than one piece
        let long: Vec<u8> = (0..CHUNK * 2 + 7).map(|i| (i % 251) as u8).collect();
        let path = folder.path().join("long");
        fs::write(&path, &long).unwrap();
        assert_eq!(of_file(&path).unwrap(), XxHash3_128::oneshot(&long));
    }

    #[test]
    fn a_changed_or_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("a.bin"), [1, 2, 3]).unwrap();
        fs::write(file("b.bin"), [4, 5]).unwrap();
        add_checksums(folder.path(), &["a.bin"]).unwrap();
        add_checksums(folder.path(), &["b.bin"]).unwrap();
        let sums = Checksums::of_folder(folder.path()).unwrap();
        assert_eq!(sums.names().collect::<Vec<_>>(), ["a.bin", "b.bin"]);
        verify_checksums(folder.path()).unwrap();

        fs::write(file("b.bin"), [4, 6]).unwrap();
        let error = verify_checksums(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("b.bin: the file is not as it was saved"),
            "{error}"
        );
        assert!(sums.check(&file("b.bin"), &[4, 6]).is_err());
        assert!(sums.check(&file("a.bin"), &[1, 2, 3]).is_ok());
        assert!(sums.check(&file("c.bin"), &[0]).is_ok());
        fs::remove_file(file("b.bin")).unwrap();
        let error = verify_checksums(folder.path()).unwrap_err().to_string();
        assert!(error.contains("b.bin"), "{error}");
    }

    #[test]
    fn a_file_that_does_not_hold_checksums_is_refused_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let good = format!("{:032x}  a.bin\n", 7);
        for bad in [
            "a.bin",
            "12  a.bin",
            "+0000000000000000000000000000001  a.bin",
            &format!("{:032x}  ../a.bin", 7),
            &format!("{:032x} a.bin", 7),
            "",
        ] {
            fs::write(
                folder.path().join(Checksums::FILE),
                format!("{good}{bad}\n"),
            )
            .unwrap();
            let error = Checksums::of_folder(folder.path()).unwrap_err().to_string();
            assert!(error.contains("XXH128SUMS:2: "), "{error}");
        }
    }
}
