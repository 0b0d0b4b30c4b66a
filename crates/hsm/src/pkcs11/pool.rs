//! The threads that talk to a token, and the queue before them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use cryptoki::{
    error::{Error as CkError, RvError},
    mechanism::Mechanism,
    object::{ObjectClass, ObjectHandle},
    session::Session,
};

use super::{
    Door, TokenConfig, calling,
    fault::{self, Next},
    objects,
};
use pki::SignError;

/// Requests that may wait. More are turned away at once: the token is slower than what is asked of it.
const MOST_WAITING: usize = 4_096;
/// How long the end of a pool waits for its sessions to be closed. A token that hangs is not waited for.
const CLOSING: Duration = Duration::from_secs(2);
/// The pause before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Pool {
    queue: Arc<Queue>,
    timeout: Duration,
}

struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// A thread has closed its session and ends.
    ended: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Threads that may have a session.
    threads: usize,
}

struct Job {
    label: Arc<str>,
    digest: Vec<u8>,
    deadline: Instant,
    reply: mpsc::SyncSender<Result<Vec<u8>, SignError>>,
}

impl Pool {
    pub(super) fn start(config: &TokenConfig, door: &Door) -> Pool {
        let threads = config.sessions.max(1);
        let state = Mutex::new(State { jobs: VecDeque::new(), closed: false, threads });
        let queue = Arc::new(Queue { state, filled: Condvar::new(), ended: Condvar::new() });
        for _ in 0..threads {
            let (queue, door, attempts) = (Arc::clone(&queue), door.clone(), config.attempts.max(1));
            std::thread::spawn(move || {
                let mut worker = Worker { door, attempts, open: None };
                while let Some(job) = queue.next() {
                    worker.serve(job);
                }
                drop(worker);
                queue.lock().threads -= 1;
                queue.ended.notify_all();
            });
        }
        Pool { queue, timeout: config.timeout }
    }

    /// r and s of a signature over the digest. Waits no longer than the configured time.
    pub(super) fn sign(&self, label: &Arc<str>, digest: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let deadline = Instant::now() + self.timeout;
        let mut state = self.queue.lock();
        if state.jobs.len() >= MOST_WAITING {
            return Err(SignError::Unavailable(format!("{MOST_WAITING} signatures are waiting already")));
        }
        state.jobs.push_back(Job { label: Arc::clone(label), digest, deadline, reply });
        drop(state);
        self.queue.filled.notify_one();
        answer.recv_timeout(self.timeout).unwrap_or_else(|_| {
            let seconds = self.timeout.as_secs_f64();
            Err(SignError::Unavailable(format!(
                "the token did not answer within {seconds} s; whether it signed is not known, so the serial \
                 number must not be used again"
            )))
        })
    }
}

impl Drop for Pool {
    /// Returns when all sessions are closed: a module that is taken down with the process while another
    /// thread closes its session crashes, and a command that did its work would end with an error.
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.closed = true;
        self.queue.filled.notify_all();
        let _ = self.queue.ended.wait_timeout_while(state, CLOSING, |state| state.threads > 0);
    }
}

impl Queue {
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The queue stays usable when a thread panicked: each change to it is a single step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Worker {
    door: Door,
    attempts: u32,
    open: Option<Open>,
}

struct Open {
    session: Session,
    keys: HashMap<Arc<str>, ObjectHandle>,
}

impl Worker {
    fn serve(&mut self, job: Job) {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        let outcome = loop {
            // Whoever asked has gone: what is signed now would be signed for nobody.
            if Instant::now() >= job.deadline {
                return;
            }
            let error = match self.sign(&job) {
                Ok(signature) => break Ok(signature),
                Err(error) => error,
            };
            let next = fault::next(&error);
            if matches!(next, Next::Reopen | Next::Unknown) {
                self.open = None;
            }
            let again = matches!(next, Next::Wait | Next::Reopen);
            if !again || attempt >= self.attempts || Instant::now() + pause >= job.deadline {
                break Err(fault::sign_error(&error));
            }
            std::thread::sleep(pause);
            pause *= 2;
            attempt += 1;
        };
        // The caller may have gone meanwhile; its serial number stays unused.
        let _ = job.reply.send(outcome);
    }

    fn sign(&mut self, job: &Job) -> Result<Vec<u8>, CkError> {
        if self.open.is_none() {
            let session = match self.door.session_inside() {
                Err(error) if fault::next(&error) == Next::Reopen => {
                    self.door.restart();
                    self.door.session_inside()?
                }
                other => other?,
            };
            self.open = Some(Open { session, keys: HashMap::new() });
        }
        let open = self.open.as_mut().expect("a session was opened just above");
        let _inside = calling();
        let key = match open.keys.get(&job.label) {
            Some(&key) => key,
            None => {
                let found = objects(&open.session, ObjectClass::PRIVATE_KEY, &job.label)?;
                let [key] = found[..] else {
                    let function = cryptoki::context::Function::FindObjects;
                    return Err(CkError::Pkcs11(RvError::KeyHandleInvalid, function));
                };
                open.keys.insert(Arc::clone(&job.label), key);
                key
            }
        };
        open.session.sign(&Mechanism::Ecdsa, key, &job.digest)
    }
}
