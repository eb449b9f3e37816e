//! The thread that writes during a run. In: reservations, replies, reviews. Out: answers after the commit.
//!
//! All that waits is written in one transaction, so many requests share one commit.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;

use super::attempts::{Cost, Ended, Reservation, Reserved, release, reserve, settle};
use super::claims::Worker;
use super::database::{Store, now};
use super::error::StoreError;
use super::ids::UnitId;
use super::review::{Review, record};

/// Most writes in one transaction.
const MAX_GROUP: usize = 256;

enum Write {
    Reserve(Reservation, oneshot::Sender<Reserved>),
    Release(i64, oneshot::Sender<()>),
    Settle(i64, Option<Cost>, Box<Ended>, oneshot::Sender<()>),
    Review(UnitId, Box<Review>, oneshot::Sender<Option<UnitId>>),
}

/// An answer that is sent after the commit.
enum Answer {
    Reserved(oneshot::Sender<Reserved>, Reserved),
    Settled(oneshot::Sender<()>),
    Reviewed(oneshot::Sender<Option<UnitId>>, Option<UnitId>),
}

/// Writes to a store from a thread of its own.
#[derive(Debug)]
pub struct Writer {
    sender: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    path: PathBuf,
}

impl Writer {
    /// Starts the thread, with a connection of its own.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be opened or a lock file cannot be made beside it.
    pub fn start(store: &Store) -> Result<Self, StoreError> {
        let store = store.again()?;
        let path = store.path.clone();
        let mut worker = Worker::start(&path)?;
        end_lost_attempts(&store, &mut worker)?;
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("annotation store".to_owned())
            .spawn(move || write_all(store, &mut worker, &receiver))
            .map_err(|error| StoreError::Unwritable {
                path: path.clone(),
                message: format!("cannot start a thread: {error}"),
            })?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
            path,
        })
    }

    /// Claims a question and reserves its worst case.
    ///
    /// # Errors
    /// [`StoreError::Closed`] if an earlier write failed.
    pub async fn reserve(&self, reservation: Reservation) -> Result<Reserved, StoreError> {
        self.send(|answer| Write::Reserve(reservation, answer))
            .await
    }

    /// Takes a reservation back whose request was not sent.
    ///
    /// # Errors
    /// As [`Writer::reserve`].
    pub async fn release(&self, attempt: i64) -> Result<(), StoreError> {
        self.send(|answer| Write::Release(attempt, answer)).await
    }

    /// Records how an attempt ended. `cost` is none if it is not known.
    ///
    /// # Errors
    /// As [`Writer::reserve`].
    pub async fn settle(
        &self,
        attempt: i64,
        cost: Option<Cost>,
        ended: Ended,
    ) -> Result<(), StoreError> {
        self.send(|answer| Write::Settle(attempt, cost, Box::new(ended), answer))
            .await
    }

    /// Records what was found in a reply, and returns the unit of the repair.
    ///
    /// # Errors
    /// As [`Writer::reserve`].
    pub async fn review(&self, unit: UnitId, review: Review) -> Result<Option<UnitId>, StoreError> {
        self.send(|answer| Write::Review(unit, Box::new(review), answer))
            .await
    }

    async fn send<T>(
        &self,
        write: impl FnOnce(oneshot::Sender<T>) -> Write,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Closed {
            path: self.path.clone(),
            message: "the thread that writes has ended".to_owned(),
        };
        let (sender, receiver) = oneshot::channel();
        let channel = self.sender.as_ref().ok_or_else(closed)?;
        channel.send(write(sender)).map_err(|_| closed())?;
        receiver.await.map_err(|_| closed())
    }

    /// Ends the thread after all writes.
    ///
    /// # Errors
    /// The error of the first write that failed.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StoreError> {
        drop(self.sender.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StoreError::Closed {
                path: self.path.clone(),
                message: "the thread that writes has panicked".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn write_all(
    mut store: Store,
    worker: &mut Worker,
    receiver: &mpsc::Receiver<Write>,
) -> Result<(), StoreError> {
    while let Ok(first) = receiver.recv() {
        let rest = receiver.try_iter().take(MAX_GROUP - 1);
        let group: Vec<Write> = std::iter::once(first).chain(rest).collect();
        let path = store.path.clone();
        let failed = |source| StoreError::Sqlite { path, source };
        let answers = write_group(&mut store, worker, group).map_err(failed)?;
        for answer in answers {
            // A receiver that is gone needs no answer.
            match answer {
                Answer::Reserved(sender, reserved) => drop(sender.send(reserved)),
                Answer::Settled(sender) => drop(sender.send(())),
                Answer::Reviewed(sender, repair) => drop(sender.send(repair)),
            }
        }
    }
    Ok(())
}

fn write_group(
    store: &mut Store,
    worker: &mut Worker,
    group: Vec<Write>,
) -> rusqlite::Result<Vec<Answer>> {
    let transaction = store
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(group.len());
    for write in group {
        answers.push(match write {
            Write::Reserve(reservation, sender) => {
                Answer::Reserved(sender, reserve(&transaction, worker, &reservation)?)
            }
            Write::Release(attempt, sender) => {
                release(&transaction, attempt)?;
                Answer::Settled(sender)
            }
            Write::Settle(attempt, cost, ended, sender) => {
                settle(&transaction, attempt, cost, &ended)?;
                Answer::Settled(sender)
            }
            Write::Review(unit, review, sender) => {
                Answer::Reviewed(sender, record(&transaction, unit, &review)?)
            }
        });
    }
    transaction.commit()?;
    Ok(answers)
}

/// Ends the attempts of processes that were killed. What they reserved counts as spent, because the server may have
/// answered. Batches go on at the server.
pub(super) fn end_lost_attempts(store: &Store, worker: &mut Worker) -> Result<(), StoreError> {
    let mut end = || -> rusqlite::Result<()> {
        let workers: Vec<String> = store
            .connection
            .prepare("SELECT DISTINCT worker FROM attempt WHERE ended IS NULL AND batch IS NULL")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for name in workers {
            if worker.has_ended(&name) {
                store.connection.execute(
                    "UPDATE attempt SET ended = ?2, outcome = 'lost', message = 'the process ended before the reply' WHERE worker = ?1 AND ended IS NULL AND batch IS NULL",
                    rusqlite::params![name, now()],
                )?;
            }
        }
        Ok(())
    };
    end().map_err(|error| store.sqlite(error))
}
