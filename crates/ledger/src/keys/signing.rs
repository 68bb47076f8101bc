//! The keys that sign: generations, one after the other, and how one gives way to the next.
//!
//! ```text
//! signing.key           generation 1: signs
//! signing.<n>.key       generation n: signs
//! signing.<n>.next      generation n, made and waiting: whoever keeps the node's trail records it first
//! signing.<n>.retire    an empty file: generation n is to sign no more
//! signing.<n>.retired   generation n: signs nothing any more, and still knows what it signed
//! ```
//!
//! A change is staged by a file, recorded on the node's trail, and only then takes effect by a rename: a crash
//! leaves it staged or in effect. While two generations sign, both do ("overlap"): who trusts either accepts what
//! is signed. No key is ever overwritten.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use greffier_merkle::hash::hmac_sha256;
use greffier_merkle::note::{KeyError as NameError, NoteSigner, Signer, Verifier};

use super::{KeyError, KeyRing, io_error, read_secret, write_secret};
use crate::cipher::Secret;

/// The first generation's file, which has no number in its name.
pub(super) const FIRST: &str = "signing.key";
/// Generations that one folder may hold; one a month for five years. Retired ones may be removed.
const MAX_GENERATIONS: u32 = 64;
/// Generations that sign side by side: the one before and the one after.
const MAX_IN_FORCE: usize = 2;

/// How far along a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Made, and waiting to be recorded.
    Waiting,
    /// It signs.
    InForce,
    /// It signs, and waits for its retirement to be recorded.
    Retiring,
    /// It signs nothing any more.
    Retired,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyState::Waiting => "waiting",
            KeyState::InForce => "in force",
            KeyState::Retiring => "retiring",
            KeyState::Retired => "retired",
        })
    }
}

/// What is to change about the keys that sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAction {
    /// A new generation begins to sign.
    Rotate,
    /// An old generation stops.
    Retire,
}

/// A change that is staged: to be recorded first, then adopted ([`KeyRing::adopt`]).
#[derive(Clone, Debug)]
pub struct KeyChange {
    /// What is to be done.
    pub action: KeyAction,
    /// To which generation.
    pub generation: u32,
    secret: Secret,
}

impl KeyChange {
    /// The key of an origin that begins or stops to sign.
    pub fn verifier(&self, origin: &str) -> Result<Verifier, NameError> {
        signer(&self.secret, origin).map(|signer| signer.verifier().clone())
    }
}

/// One generation, for people: its file, how far along it is, and the key that it gives an origin.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u32,
    /// How far along it is.
    pub state: KeyState,
    /// Its file in the keys folder.
    pub file: String,
    secret: Secret,
}

impl Generation {
    /// The key that it gives an origin.
    pub fn verifier(&self, origin: &str) -> Result<Verifier, NameError> {
        signer(&self.secret, origin).map(|signer| signer.verifier().clone())
    }

    fn signs(&self) -> bool {
        matches!(self.state, KeyState::InForce | KeyState::Retiring)
    }
}

/// The generations as this process knows them.
pub(super) struct Signing {
    generations: RwLock<Arc<Vec<Generation>>>,
    /// The generations that signed the newest manifest of this process.
    manifest: Mutex<Vec<u32>>,
}

impl Signing {
    /// Reads all generations; at least one must sign.
    pub(super) fn open(dir: &Path) -> Result<Signing, KeyError> {
        let generations = RwLock::new(Arc::new(read(dir)?));
        Ok(Signing { generations, manifest: Mutex::default() })
    }

    fn generations(&self) -> Arc<Vec<Generation>> {
        Arc::clone(&self.generations.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the rest of the ledger asks of the keys that sign.
impl KeyRing {
    /// The newest signer of one origin (a trail's name in checkpoints). Each origin has its own key, derived from
    /// the generation's secret: a C2SP trust policy lists no key twice.
    pub fn signer(&self, origin: &str) -> Result<Signer, NameError> {
        let generations = self.signing.generations();
        let newest = generations.iter().rfind(|generation| generation.signs()).ok_or(NameError::Key)?;
        signer(&newest.secret, origin)
    }

    /// Every key that signs for an origin now, the oldest first: two while one gives way to the next.
    pub fn signers(&self, origin: &str) -> Result<Vec<Box<dyn NoteSigner>>, NameError> {
        let generations = self.signing.generations();
        let signing = generations.iter().filter(|generation| generation.signs());
        signing.map(|generation| Ok(Box::new(signer(&generation.secret, origin)?) as _)).collect()
    }

    /// Every key that signs or ever signed for an origin, as far as its file is still there.
    pub(crate) fn verifiers(&self, origin: &str) -> Result<Vec<Verifier>, NameError> {
        self.known().iter().map(|number| self.verifier(*number, origin)).collect()
    }

    /// The key of one generation.
    pub(crate) fn verifier(&self, generation: u32, origin: &str) -> Result<Verifier, NameError> {
        let generations = self.signing.generations();
        let found = generations.iter().find(|known| known.number == generation).ok_or(NameError::Key)?;
        found.verifier(origin)
    }

    /// For each generation but the first that is known: the keys of it and of the one before, to sign that one
    /// follows the other.
    pub(crate) fn successions(&self, origin: &str) -> Result<Vec<(u32, Signer, Signer)>, NameError> {
        let generations = self.signing.generations();
        let begun: Vec<&Generation> =
            generations.iter().filter(|generation| generation.state != KeyState::Waiting).collect();
        let pairs = begun.windows(2).filter_map(|pair| match pair {
            [old, new] => Some((old, new)),
            _ => None,
        });
        pairs
            .map(|(old, new)| Ok((new.number, signer(&old.secret, origin)?, signer(&new.secret, origin)?)))
            .collect()
    }

    /// The generations that sign now.
    pub(crate) fn in_force(&self) -> Vec<u32> {
        self.numbers(Generation::signs)
    }

    /// The generations that sign or signed.
    pub(crate) fn known(&self) -> Vec<u32> {
        self.numbers(|generation| generation.state != KeyState::Waiting)
    }

    fn numbers(&self, which: impl Fn(&Generation) -> bool) -> Vec<u32> {
        self.signing.generations().iter().filter(|one| which(one)).map(|one| one.number).collect()
    }

    /// Takes note of who signed the newest manifest.
    pub(crate) fn manifest_signed(&self, by: Vec<u32>) {
        *self.signing.manifest.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    /// Whether the newest manifest carries the signatures of exactly those that sign now.
    pub(crate) fn manifest_is_current(&self) -> bool {
        *self.signing.manifest.lock().unwrap_or_else(PoisonError::into_inner) == self.in_force()
    }

    /// All generations, the oldest first, as they stand in the folder now.
    pub fn generations(&self) -> Result<Vec<Generation>, KeyError> {
        read(&self.dir)
    }

    /// Makes the next generation, which then waits to be recorded and adopted; says its number. Refused while a
    /// change waits or two generations sign.
    pub fn stage_rotation(&self) -> Result<u32, KeyError> {
        let generations = self.unstaged()?;
        if generations.iter().filter(|generation| generation.signs()).count() >= MAX_IN_FORCE {
            return Err(KeyError::Change("two generations sign already: retire the older one first".into()));
        }
        let number = generations.last().map_or(1, |newest| newest.number + 1);
        let (next, unfinished) = (name(number, "next"), format!("{}.tmp", name(number, "next")));
        let tidy = |error: io::Error| io_error(&unfinished)(error);
        match fs::remove_file(self.dir.join(&unfinished)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(tidy(error)),
            _ => {}
        }
        // Whole before it has a name that counts.
        write_secret(&self.dir, &unfinished, &Secret::random()?)?;
        rename(&self.dir, &unfinished, &next)?;
        Ok(number)
    }

    /// Asks for a generation's retirement, which then waits to be recorded and adopted. Without a number: the
    /// older of the two that sign. The last one that signs cannot retire.
    pub fn stage_retirement(&self, number: Option<u32>) -> Result<u32, KeyError> {
        let generations = self.unstaged()?;
        let signing: Vec<u32> = generations.iter().filter(|one| one.signs()).map(|one| one.number).collect();
        let [old, new] = signing[..] else {
            let what = "only one generation signs: `greffier keys rotate` makes the next one first";
            return Err(KeyError::Change(what.into()));
        };
        let number = number.unwrap_or(old);
        if number != old {
            let what = if number == new {
                format!("generation {new} is the newest: it stays, only generation {old} can retire")
            } else {
                format!("generation {number} does not sign: only generation {old} can retire")
            };
            return Err(KeyError::Change(what));
        }
        let marker = name(number, "retire");
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.dir.join(&marker));
        open.and_then(|file| file.sync_all()).map_err(io_error(&marker))?;
        sync(&self.dir)?;
        Ok(number)
    }

    /// The change that waits, if there is one.
    pub fn staged(&self) -> Result<Option<KeyChange>, KeyError> {
        Ok(read(&self.dir)?.into_iter().find_map(|generation| {
            let action = match generation.state {
                KeyState::Waiting => KeyAction::Rotate,
                KeyState::Retiring => KeyAction::Retire,
                KeyState::InForce | KeyState::Retired => return None,
            };
            Some(KeyChange { action, generation: generation.number, secret: generation.secret })
        }))
    }

    /// Puts a change into effect: the caller has it on record. From here on this process signs as it says.
    pub fn adopt(&self, change: &KeyChange) -> Result<(), KeyError> {
        let (number, signing) = (change.generation, file(change.generation));
        match change.action {
            KeyAction::Rotate => rename(&self.dir, &name(number, "next"), &signing)?,
            KeyAction::Retire => {
                rename(&self.dir, &signing, &name(number, "retired"))?;
                let marker = name(number, "retire");
                fs::remove_file(self.dir.join(&marker)).map_err(io_error(&marker))?;
                sync(&self.dir)?;
            }
        }
        let generations = Arc::new(read(&self.dir)?);
        *self.signing.generations.write().unwrap_or_else(PoisonError::into_inner) = generations;
        Ok(())
    }

    /// The generations, of which none waits for anything.
    fn unstaged(&self) -> Result<Vec<Generation>, KeyError> {
        if let Some(change) = self.staged()? {
            let what = match change.action {
                KeyAction::Rotate => "a rotation",
                KeyAction::Retire => "a retirement",
            };
            let n = change.generation;
            let what = format!("{what} (generation {n}) waits to be recorded: greffier does so when it runs");
            return Err(KeyError::Change(what));
        }
        read(&self.dir)
    }
}

/// The key of an origin.
fn signer(secret: &Secret, origin: &str) -> Result<Signer, NameError> {
    let chunks: [&[u8]; 2] = [b"greffier/signer/v1\0", origin.as_bytes()];
    let seed = zeroize::Zeroizing::new(hmac_sha256(secret.bytes(), &chunks));
    Signer::new(origin, &seed)
}

/// All generations on file, by number.
fn read(dir: &Path) -> Result<Vec<Generation>, KeyError> {
    let mut generations = Vec::new();
    let exists = |name: &str| dir.join(name).symlink_metadata().is_ok();
    for number in 1..=MAX_GENERATIONS {
        let retiring = exists(&name(number, "retire"));
        // Under two names it is on its way from one to the other, and not there yet.
        let states = [
            (name(number, "next"), KeyState::Waiting),
            (file(number), if retiring { KeyState::Retiring } else { KeyState::InForce }),
            (name(number, "retired"), KeyState::Retired),
        ];
        let Some((file, state)) = states.into_iter().find(|(file, _)| exists(file)) else { continue };
        let secret = read_secret(dir, &file)?;
        generations.push(Generation { number, state, file, secret });
    }
    if generations.iter().any(Generation::signs) {
        return Ok(generations);
    }
    // Says which file is missing.
    read_secret(dir, FIRST)?;
    Ok(generations)
}

/// The file of a generation that signs.
fn file(number: u32) -> String {
    if number == 1 { FIRST.to_owned() } else { name(number, "key") }
}

fn name(number: u32, state: &str) -> String {
    format!("signing.{number}.{state}")
}

/// Gives a file its new name, durably, if no file has it yet: the new name is linked first, which never replaces
/// anything.
fn rename(dir: &Path, from: &str, to: &str) -> Result<(), KeyError> {
    let path = |name: &str| -> PathBuf { dir.join(name) };
    match fs::hard_link(path(from), path(to)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A crash between the two steps left both names of the same file.
            let same = fs::read(path(from)).ok().map(zeroize::Zeroizing::new)
                == fs::read(path(to)).ok().map(zeroize::Zeroizing::new);
            if !same {
                return Err(KeyError::Exists(path(to).display().to_string()));
            }
        }
        result => result.map_err(io_error(to))?,
    }
    sync(dir)?;
    fs::remove_file(path(from)).map_err(io_error(from))?;
    sync(dir)
}

fn sync(dir: &Path) -> Result<(), KeyError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("."))
}

#[cfg(test)]
mod tests;
