//! The bytes of a file: plain, gzip or zip, hashed on their way, bounded when unpacked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};

use super::FeedError;
use super::hash::{Fingerprint, HashKind, Hashed, check_sum};

/// The most that one file may unpack to.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// Klines shrink 3 to 15 times; deflate can reach 1032 times only on something made to harm.
const RATIO_MAX: u64 = 100;
/// Below this, the ratio says nothing.
const RATIO_FROM_BYTES: u64 = 4 << 20;
/// How much is read at once: some thousand rows, and little enough to be hashed and parsed while it is in the processor's own memory.
pub const CHUNK_BYTES: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Csv,
    Json,
}

/// An open file with a window of unpacked bytes.
pub struct Input {
    path: PathBuf,
    stream: Stream,
    /// Unpacked bytes not yet used: `window[start..end]`.
    window: Vec<u8>,
    start: usize,
    end: usize,
    unpacked: u64,
    is_at_end: bool,
    kind: Kind,
}

enum Stream {
    Plain(Hashed),
    Gzip(Box<MultiGzDecoder<BufReader<Hashed>>>),
    Zip(Box<ZipMember>),
}

/// The one member of a zip archive.
struct ZipMember {
    reader: CrcReader<ZipReader>,
    crc: u32,
    packed: u64,
    /// Of the archive whole: the member's bytes alone do not name the file.
    fingerprint: Fingerprint,
}

enum ZipReader {
    Stored(io::Take<File>),
    Deflated(DeflateDecoder<BufReader<io::Take<File>>>),
}

impl Input {
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => FeedError::NoFile(path.to_owned()),
            io::ErrorKind::IsADirectory => FeedError::IsFolder(path.to_owned()),
            _ => FeedError::Read { path: path.to_owned(), source },
        };
        let mut file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(FeedError::IsFolder(path.to_owned()));
        }
        let mut magic = [0; 4];
        let len = read_full(&mut file, &mut magic).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let hashed = |file| Hashed::new(file, HashKind::for_file(path));
        let stream = match &magic[..len] {
            [] => return Err(FeedError::Empty(path.to_owned())),
            [0x1f, 0x8b, ..] => Stream::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK_BYTES, hashed(file))))),
            [b'P', b'K', ..] => Stream::Zip(Box::new(ZipMember::open(path, file)?)),
            _ => Stream::Plain(hashed(file)),
        };
        let (path, window) = (path.to_owned(), Vec::new());
        let mut input = Self { path, stream, window, start: 0, end: 0, unpacked: 0, is_at_end: false, kind: Kind::Csv };
        input.fill()?;
        if let Some(rest) = input.bytes().strip_prefix(b"\xef\xbb\xbf") {
            input.start = input.end - rest.len();
        }
        match input.bytes().iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(FeedError::Empty(input.path)),
            Some(b'[' | b'{') => input.kind = Kind::Json,
            Some(_) => {}
        }
        Ok(input)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The unpacked bytes at hand.
    pub fn bytes(&self) -> &[u8] {
        &self.window[self.start..self.end]
    }

    /// Is there nothing behind [`Self::bytes`]?
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Drops the first `count` bytes at hand.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "only bytes at hand are used up");
    }

    /// Brings more bytes to hand.
    pub fn fill(&mut self) -> Result<(), FeedError> {
        self.window.copy_within(self.start..self.end, 0);
        let left = self.end - self.start;
        if self.window.len() < left + CHUNK_BYTES {
            self.window.resize(left + CHUNK_BYTES, 0);
        }
        let read = self.stream.read_full(&mut self.window[left..left + CHUNK_BYTES]);
        let read = read.map_err(|source| self.unpack_error(source))?;
        (self.start, self.end) = (0, left + read);
        self.is_at_end = read < CHUNK_BYTES;
        self.unpacked += read as u64;
        self.check_bounds()
    }

    /// Bytes of the file itself that were read.
    pub fn position(&self) -> u64 {
        match &self.stream {
            Stream::Plain(file) => file.bytes(),
            Stream::Gzip(decoder) => decoder.get_ref().get_ref().bytes(),
            Stream::Zip(member) => member.position(),
        }
    }

    pub fn finish(self) -> Result<Fingerprint, FeedError> {
        let path = self.path;
        let fingerprint = match self.stream {
            Stream::Plain(file) => file.finish(),
            Stream::Gzip(decoder) => decoder.into_inner().into_inner().finish(),
            Stream::Zip(member) => Ok(member.fingerprint),
        };
        let fingerprint = fingerprint.map_err(|source| FeedError::Read { path: path.clone(), source })?;
        check_sum(&path, &fingerprint)?;
        Ok(fingerprint)
    }

    fn check_bounds(&self) -> Result<(), FeedError> {
        if matches!(self.stream, Stream::Plain(_)) {
            return Ok(());
        }
        let too_large = |limit: String| FeedError::TooLarge { path: self.path.clone(), limit };
        if self.unpacked > UNPACKED_BYTES_MAX {
            return Err(too_large(format!("{} GiB", UNPACKED_BYTES_MAX >> 30)));
        }
        if self.unpacked > RATIO_FROM_BYTES && self.unpacked / RATIO_MAX > self.position() {
            return Err(too_large(format!("{RATIO_MAX} times its size")));
        }
        Ok(())
    }

    fn unpack_error(&self, source: io::Error) -> FeedError {
        let path = self.path.clone();
        match (&self.stream, source.kind()) {
            (Stream::Plain(_), io::ErrorKind::IsADirectory) => FeedError::IsFolder(path),
            (Stream::Plain(_), _) => FeedError::Read { path, source },
            (_, io::ErrorKind::UnexpectedEof) => FeedError::Archive { path, why: "it ends too early".to_owned() },
            _ => FeedError::Archive { path, why: source.to_string() },
        }
    }
}

impl Stream {
    fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_full(file, buffer),
            Self::Gzip(decoder) => read_full(decoder, buffer),
            Self::Zip(member) => member.read_full(buffer),
        }
    }
}

impl ZipMember {
    fn open(path: &Path, file: File) -> Result<Self, FeedError> {
        let refused = |why: String| FeedError::Archive { path: path.to_owned(), why };
        let failed = |source| FeedError::Read { path: path.to_owned(), source };
        // The clone shares the file's place, which the archive seeks for itself.
        let fingerprint = Hashed::new(file.try_clone().map_err(failed)?, HashKind::Sha256).finish().map_err(failed)?;
        let mut archive = zip::ZipArchive::new(file).map_err(|error| refused(error.to_string()))?;
        let members: Vec<usize> =
            (0..archive.len()).filter(|&at| archive.by_index_raw(at).is_ok_and(|member| member.is_file())).collect();
        let &[only] = members.as_slice() else { return Err(refused(format!("it has {} files", members.len()))) };
        let member = archive.by_index_raw(only).map_err(|error| refused(error.to_string()))?;
        let name = member.name().map_err(|error| refused(error.to_string()))?;
        if name.contains("..") || name.starts_with(['/', '\\']) {
            // Nothing is unpacked to the disk; but who writes such a name means harm.
            return Err(refused(format!("it names its file {name}, which lies outside of it")));
        }
        if member.encrypted() {
            return Err(refused("it is encrypted".to_owned()));
        }
        let (method, crc, packed) = (member.compression(), member.crc32(), member.compressed_size());
        let start = member.data_start().ok_or_else(|| refused("its member has no data".to_owned()))?;
        drop(member);
        let mut file = archive.into_inner();
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let data = file.take(packed);
        let reader = match method {
            zip::CompressionMethod::Stored => ZipReader::Stored(data),
            zip::CompressionMethod::Deflated => {
                ZipReader::Deflated(DeflateDecoder::new(BufReader::with_capacity(CHUNK_BYTES, data)))
            }
            other => return Err(refused(format!("it is packed by {other}; store or deflate it"))),
        };
        Ok(Self { reader: CrcReader::new(reader), crc, packed, fingerprint })
    }

    fn position(&self) -> u64 {
        let left = match self.reader.get_ref() {
            ZipReader::Stored(data) => data.limit(),
            ZipReader::Deflated(decoder) => decoder.get_ref().get_ref().limit(),
        };
        self.packed - left
    }

    fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_full(&mut self.reader, buffer)?;
        if read < buffer.len() && self.reader.crc().sum() != self.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum does not match its content"));
        }
        Ok(read)
    }
}

impl Read for ZipReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(data) => data.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

/// Fills the buffer; less only at the end.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
