//! Witnesses in memory that decide as C2SP says, unless they are told to misbehave.

use std::collections::BTreeMap;
use std::sync::Condvar;

use greffier_merkle::Checkpoint;
use greffier_merkle::note::{Cosigner, SignedNote};
use greffier_merkle::witness::{AddCheckpoint, Refused, consider, origin_hash, size_text};

use super::*;
use crate::anchor::{Reply, Unreachable, Witness, Witnesses};
use crate::heads::Require;

/// How a witness behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    /// It cannot be reached.
    Away,
    /// It takes requests and never answers.
    Silent,
    /// It answers with what is no signature.
    Garbage,
    /// It signs with another key under its name and id.
    Forges,
    /// Its clock is a day ahead.
    FarAhead,
    /// It loses what it saw.
    Forgets,
}

struct One {
    cosigner: Cosigner,
    conduct: Conduct,
    latest: BTreeMap<String, (Checkpoint, String)>,
}

/// The witnesses of a test.
#[derive(Clone)]
pub(super) struct Village(Arc<Inner>);

struct Inner {
    witnesses: Mutex<Vec<One>>,
    changed: Condvar,
    monitoring: Mutex<bool>,
    most: Mutex<usize>,
    complaints: Mutex<Vec<String>>,
    keys: Mutex<Option<Arc<KeyRing>>>,
}

impl Village {
    pub(super) fn of(count: u8) -> Village {
        let one = |n: u8| One {
            cosigner: Cosigner::new(format!("witness.example/w{n}"), &[n; 32]).unwrap(),
            conduct: Conduct::Honest,
            latest: BTreeMap::new(),
        };
        Village(Arc::new(Inner {
            witnesses: Mutex::new((0..count).map(one).collect()),
            changed: Condvar::new(),
            monitoring: Mutex::new(true),
            most: Mutex::new(0),
            complaints: Mutex::default(),
            keys: Mutex::default(),
        }))
    }

    /// The logs that it is to know.
    pub(super) fn meet(&self, keys: Arc<KeyRing>) {
        *self.0.keys.lock().unwrap() = Some(keys);
    }

    pub(super) fn conduct(&self, witness: usize, conduct: Conduct) {
        self.0.witnesses.lock().unwrap()[witness].conduct = conduct;
        self.0.changed.notify_all();
    }

    pub(super) fn serves_monitoring(&self, serves: bool) {
        *self.0.monitoring.lock().unwrap() = serves;
    }

    /// The most trails that anybody was asked about at once.
    pub(super) fn most_at_once(&self) -> usize {
        *self.0.most.lock().unwrap()
    }

    /// What was sent that a witness answers with 400 or 422.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.0.complaints.lock().unwrap().clone()
    }

    pub(super) fn anchor(&self, quorum: usize) -> Anchor {
        let witnesses = self.0.witnesses.lock().unwrap();
        let witness = |(n, one): (usize, &One)| Witness {
            name: format!("w{n}"),
            verifier: one.cosigner.verifier().clone(),
            url: format!("https://w{n}.example"),
        };
        Anchor {
            witnesses: witnesses.iter().enumerate().map(witness).collect(),
            quorum,
            every: FAST,
            stale_after: Duration::from_secs(600),
            require: Require::None,
            client: Arc::new(self.clone()),
        }
    }

    fn add(&self, witness: usize, body: &str) -> Result<Reply, Unreachable> {
        let mut witnesses = self.0.witnesses.lock().unwrap();
        while witnesses[witness].conduct == Conduct::Silent {
            witnesses = self.0.changed.wait(witnesses).unwrap();
        }
        let one = &mut witnesses[witness];
        if one.conduct == Conduct::Away {
            return Err(Unreachable("nobody is there".to_owned()));
        }
        if one.conduct == Conduct::Forgets {
            one.latest.clear();
        }
        let request = AddCheckpoint::parse(body).unwrap();
        let origin = request.origin().to_owned();
        let latest = one.latest.get(&origin).map(|(checkpoint, _)| checkpoint);
        // It knows every log: the tests of `consider` say what happens with strangers.
        let log = self.0.keys.lock().unwrap().as_ref().unwrap().signer(&origin).unwrap().verifier().clone();
        let reply = |status, body: String| Ok(Reply { status, body });
        match consider([&log], latest, &request) {
            Ok(new) => {
                let text = SignedNote::parse(&request.checkpoint).unwrap().text().to_owned();
                let now = crate::anchor::unix_now();
                let time = if one.conduct == Conduct::FarAhead { now + 86_400 } else { now };
                let line = one.cosigner.cosignature(&text, time).unwrap().to_string() + "\n";
                one.latest.insert(origin, (new, request.checkpoint + &line));
                match one.conduct {
                    Conduct::Garbage => reply(200, "<html>hello</html>\n".to_owned()),
                    Conduct::Forges => {
                        let other = one.cosigner.cosignature("another text\n", time).unwrap();
                        reply(200, other.to_string() + "\n")
                    }
                    _ => reply(200, line),
                }
            }
            Err(Refused::Conflict { size }) => reply(409, size_text(size)),
            Err(refused) => {
                self.0.complaints.lock().unwrap().push(format!("{refused}: {body}"));
                reply(refused.status(), String::new())
            }
        }
    }
}

impl Witnesses for Village {
    fn add_checkpoints(&self, witness: usize, bodies: Vec<String>) -> Vec<Result<Reply, Unreachable>> {
        let mut most = self.0.most.lock().unwrap();
        *most = bodies.len().max(*most);
        drop(most);
        bodies.iter().map(|body| self.add(witness, body)).collect()
    }

    fn latest(&self, witness: usize, origins: Vec<String>) -> Vec<Result<Reply, Unreachable>> {
        let witnesses = self.0.witnesses.lock().unwrap();
        let one = &witnesses[witness];
        let serves = *self.0.monitoring.lock().unwrap();
        let latest = |origin: &String| {
            if matches!(one.conduct, Conduct::Away | Conduct::Silent) {
                return Err(Unreachable("nobody is there".to_owned()));
            }
            assert_eq!(origin_hash(origin).len(), 64);
            Ok(match one.latest.get(origin).filter(|_| serves) {
                Some((_, note)) => Reply { status: 200, body: note.clone() },
                None => Reply { status: 404, body: String::new() },
            })
        };
        origins.iter().map(latest).collect()
    }
}
