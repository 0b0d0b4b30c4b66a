//! The process that holds the keys answers those that do not, over a socket of this machine.
//!
//! Only the user of this process reaches the socket, or the group of a directory that an operator made for it
//! (docs/operations.md). Whoever reaches it is believed nothing: [`crate::desks`] asks the database who the
//! session is and what its account may see.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::with_causes;
use crate::{Centre, Error, Kits, Photos, Place};
use enrol::desks::{Asker, KitDesk, Photo, PhotoSource};
use packet::desk::{Answer, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Request, frame, frame_length};

const SOCKET: &str = "keyholder.sock";
const LOCK: &str = "keyholder.lock";
/// `sun_path` holds 104 bytes on macOS and 108 on Linux.
const LONGEST_PATH: usize = 100;
/// Questions answered at once; with the largest batch each, half a gigabyte.
const AT_ONCE: usize = 64;
/// How long a question may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the socket of an installation is unless somebody names another place: in `run` of the data
/// directory; where that would not fit a socket's address, in a directory of its own in /tmp.
pub fn socket_path(place: &Place) -> PathBuf {
    // Both sides must come to the same path, however the directory was named.
    let data = place.data.canonicalize().unwrap_or_else(|_| place.data.clone());
    let beside = data.join("run").join(SOCKET);
    if beside.as_os_str().len() <= LONGEST_PATH {
        return beside;
    }
    let digest = Sha256::digest(data.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Path::new("/tmp").join(format!("dancu-keys-{name}")).join(SOCKET)
}

/// The socket, taken: nobody else answers on it as long as this is there.
pub struct Keyholder {
    listener: UnixListener,
    path: PathBuf,
    _lock: File,
}

impl Keyholder {
    /// Takes the socket. A socket that a killed process left behind is replaced.
    ///
    /// # Errors
    /// [`Error::SocketTaken`] when another process answers there; [`Error::SocketFolder`], [`Error::File`].
    pub fn bind(path: &Path) -> Result<Keyholder, Error> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mode = private_folder(folder)?;
        let lock_path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
        let lock = lock.map_err(Error::file(&lock_path, "open this file"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(Error::SocketTaken { path: path.to_owned() }),
            Err(fs::TryLockError::Error(error)) => {
                return Err(Error::file(&lock_path, "lock this file")(error));
            }
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file(path, "remove the socket of an earlier process")(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(Error::file(path, "listen on this socket"))?;
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(Error::file(path, "close this socket"))?;
        Ok(Keyholder { listener, path: path.to_owned(), _lock: lock })
    }

    /// Answers until the future is dropped.
    pub async fn answer(self, centre: &Centre) {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a question could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let centre = centre.clone();
            // A task of its own: what panics over one question leaves the others alone.
            tokio::spawn(async move {
                if let Err(error) = serve(&centre, stream).await {
                    tracing::warn!(error = with_causes(&error), "a question was not answered");
                }
                drop(turn);
            });
        }
    }
}

impl Drop for Keyholder {
    fn drop(&mut self) {
        // While the lock is held, so that it is not a later process's.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers one question.
async fn serve(centre: &Centre, mut stream: UnixStream) -> Result<(), Error> {
    let read = async {
        let mut first = [0; 4];
        stream.read_exact(&mut first).await.map_err(Error::Line)?;
        let length = frame_length(first, MAX_REQUEST_BYTES).map_err(Error::Question)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.map_err(Error::Line)?;
        Request::decode(&body).map_err(Error::Question)
    };
    let request =
        timeout(PATIENCE, read).await.map_err(|_| Error::Line(io::ErrorKind::TimedOut.into()))??;
    let answer = answer(centre, request).await;
    let framed = frame(&answer.encode(), MAX_ANSWER_BYTES).map_err(Error::Question)?;
    let written = timeout(PATIENCE, stream.write_all(&framed)).await;
    written.map_err(|_| Error::Line(io::ErrorKind::TimedOut.into()))?.map_err(Error::Line)
}

async fn answer(centre: &Centre, request: Request) -> Answer {
    let kits = Kits(centre.clone());
    let answered = match request {
        Request::Photo { session, application, page } => {
            let asker = Asker { session: &session, page };
            return match Photos(centre.clone()).photo(asker, application).await {
                Photo::Shown(jpeg) => Answer::Photo(jpeg),
                Photo::NotShown => Answer::NoPhoto,
                Photo::Away => Answer::Failed,
            };
        }
        Request::Packets(body) => kits.packets(body).await,
        Request::DayReport(body) => kits.day_report(body).await,
        Request::KitStatus(body) => kits.status(body).await,
    };
    Answer::Kit { status: answered.status, body: answered.body, refused: answered.refused }
}

/// Makes the directory of the socket for this user alone, or takes one that is there and closed to strangers.
/// Returns the mode for the socket: one that an operator opened to a group gives the group its socket.
fn private_folder(folder: &Path) -> Result<u32, Error> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::file(folder, "make this directory")(error)),
    }
    let found = fs::symlink_metadata(folder).map_err(Error::file(folder, "look at this directory"))?;
    // Anyone may write to /tmp: in a directory of somebody else's another process could stand for this one.
    if !found.is_dir() || found.mode() & 0o007 != 0 || !is_ours(found.uid())? {
        return Err(Error::SocketFolder { folder: folder.to_owned() });
    }
    Ok(if found.mode() & 0o070 == 0 { 0o600 } else { 0o660 })
}

/// Whether a file's owner is this process's user, or root.
fn is_ours(owner: u32) -> Result<bool, Error> {
    // The peer of a pair of sockets is this process itself.
    let me = || Ok(UnixStream::pair()?.0.peer_cred()?.uid());
    Ok(owner == 0 || owner == me().map_err(Error::Line)?)
}
