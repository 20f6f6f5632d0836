//! Prints an archive's entries as the zip crate reads them, in the format of
//! ../../reader.go: from a file, or with `stream` as its first argument from a
//! stream, where it has the local headers alone.

use sha2::{Digest, Sha256};
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::process::exit;
use zip::read::{read_zipfile_from_stream, ZipFile};
use zip::ZipArchive;

const S_IFMT: u32 = 0o170000;
const S_IFLNK: u32 = 0o120000;

fn main() {
    if let Err(e) = run() {
        eprintln!("{e}");
        exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let mut file = BufReader::new(File::open(&args[args.len() - 1])?);
    let mut out = BufWriter::new(io::stdout().lock());
    if args[1] == "stream" {
        while let Some(mut entry) = read_zipfile_from_stream(&mut file)? {
            print(&mut out, &mut entry, false)?;
        }
    } else {
        let mut archive = ZipArchive::new(file)?;
        for i in 0..archive.len() {
            print(&mut out, &mut archive.by_index(i)?, true)?;
        }
    }
    Ok(out.flush()?)
}

fn print(out: &mut impl Write, entry: &mut ZipFile, modes: bool) -> Result<(), Box<dyn Error>> {
    let mode = entry.unix_mode().filter(|_| modes);
    let kind = match mode {
        Some(mode) if mode & S_IFMT == S_IFLNK => 'l',
        _ if entry.is_dir() => 'd',
        _ => 'f',
    };
    write!(out, "name={} type={kind}", hex(entry.name().as_bytes()))?;
    write!(out, " size={} crc={:08x}", entry.size(), entry.crc32())?;
    write!(out, " mtime={}", entry.last_modified().to_time()?.unix_timestamp())?;
    if let Some(mode) = mode {
        write!(out, " mode={mode:o}")?;
    }
    if kind != 'd' {
        let mut sum = Sha256::new();
        io::copy(entry, &mut sum)?; // tests the CRC
        write!(out, " sha={}", hex(&sum.finalize()))?;
    }
    Ok(writeln!(out)?)
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}
