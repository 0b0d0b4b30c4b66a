//! The process that holds the keys, as the pages see it: a socket of this machine that answers, or does not.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use domain::id::ApplicationId;
use enrol::desks::{self, Asker, KitAnswer, KitDesk, Photo, PhotoSource};
use packet::desk::{Answer, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Request, frame, frame_length};

/// A page waits no longer for a photo: it is drawn without.
const PHOTO_WAIT: Duration = Duration::from_secs(5);
/// Taking a full batch over is a transaction; a kit waits longer for its answer.
const KIT_WAIT: Duration = Duration::from_secs(60);

/// Asks whoever holds the keys, a connection for each question.
#[derive(Debug, Clone)]
pub struct Keyholder {
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("nobody answers on the socket")]
    Io(#[from] std::io::Error),
    #[error("user {user} answers on the socket, who is neither this program's nor root")]
    Stranger { user: u32 },
    #[error("the answer did not come in time")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("the answer is not one")]
    Message(#[from] packet::PacketError),
}

impl Keyholder {
    /// Whoever answers on this socket. Nothing is opened before the first question.
    pub fn at(socket: PathBuf) -> Keyholder {
        Keyholder { socket }
    }

    async fn ask(&self, request: &Request, patience: Duration) -> Option<Answer> {
        match timeout(patience, self.exchange(request)).await.map_err(NoAnswer::from).flatten() {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!(%error, "whoever holds the keys does not answer");
                None
            }
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        // Anyone may make a directory in /tmp: whoever listens there must be this user, or root.
        if self.socket.starts_with("/tmp") {
            let (me, peer) = (UnixStream::pair()?.0.peer_cred()?.uid(), stream.peer_cred()?.uid());
            if peer != 0 && peer != me {
                return Err(NoAnswer::Stranger { user: peer });
            }
        }
        stream.write_all(&frame(&request.encode(), MAX_REQUEST_BYTES)?).await?;
        let mut first = [0; 4];
        stream.read_exact(&mut first).await?;
        let mut body = vec![0; frame_length(first, MAX_ANSWER_BYTES)?];
        stream.read_exact(&mut body).await?;
        Ok(Answer::decode(&body)?)
    }

    async fn kit(&self, request: Request) -> KitAnswer {
        match self.ask(&request, KIT_WAIT).await {
            Some(Answer::Kit { status, body, refused }) => KitAnswer { status, body, refused },
            // The kit keeps what it has and tries again.
            Some(Answer::Photo(_) | Answer::NoPhoto | Answer::Refused | Answer::Failed) | None => {
                KitAnswer { status: 503, body: Vec::new(), refused: 0 }
            }
        }
    }
}

impl PhotoSource for Keyholder {
    fn photo<'a>(&'a self, asker: Asker<'a>, id: ApplicationId) -> desks::Answer<'a, Photo> {
        Box::pin(async move {
            let Asker { session, page } = asker;
            let request = Request::Photo { session: session.to_owned(), application: id, page };
            match self.ask(&request, PHOTO_WAIT).await {
                Some(Answer::Photo(jpeg)) => Photo::Shown(jpeg),
                Some(Answer::NoPhoto | Answer::Refused) => Photo::NotShown,
                Some(Answer::Kit { .. } | Answer::Failed) | None => Photo::Away,
            }
        })
    }
}

impl KitDesk for Keyholder {
    fn packets(&self, body: Vec<u8>) -> desks::Answer<'_, KitAnswer> {
        Box::pin(self.kit(Request::Packets(body)))
    }

    fn day_report(&self, body: Vec<u8>) -> desks::Answer<'_, KitAnswer> {
        Box::pin(self.kit(Request::DayReport(body)))
    }

    fn status(&self, body: Vec<u8>) -> desks::Answer<'_, KitAnswer> {
        Box::pin(self.kit(Request::KitStatus(body)))
    }
}
