//! AES-256-GCM and randomness, behind one file.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

/// A 32-byte secret that is wiped when dropped and never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The system's randomness or the cipher itself failed, or what was opened is not what was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CipherError;

const NONCE_BYTES: usize = 12;

impl Secret {
    /// A fresh random secret.
    pub(crate) fn random() -> Result<Secret, CipherError> {
        Secret::of(&mut Random::default())
    }

    /// A fresh secret of this randomness.
    pub(crate) fn of(random: &mut Random) -> Result<Secret, CipherError> {
        random.take().map(Secret)
    }

    /// A secret from exactly 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Secret> {
        Some(Secret(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts under a key that is used once in its life: the nonce is therefore fixed.
    pub(crate) fn seal_once(&self, aad: &[u8], mut content: Vec<u8>) -> Result<Vec<u8>, CipherError> {
        self.key()?
            .seal_in_place_append_tag(nonce(&[0; NONCE_BYTES])?, Aad::from(aad), &mut content)
            .map_err(|_| CipherError)?;
        Ok(content)
    }

    /// Opens what [`Secret::seal_once`] sealed.
    pub(crate) fn open_once(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.open(&[0; NONCE_BYTES], aad, sealed)
    }

    /// This secret, ready to wrap others.
    pub(crate) fn wrapping(&self) -> Result<Wrapping, CipherError> {
        Ok(Wrapping(self.key()?))
    }

    /// Wraps another secret under this one ([`Wrapping::wrap`]).
    pub(crate) fn wrap(&self, aad: &[u8], secret: &Secret) -> Result<Vec<u8>, CipherError> {
        self.wrapping()?.wrap(aad, secret, &mut Random::default())
    }

    /// Opens what [`Secret::wrap`] wrapped.
    pub(crate) fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret, CipherError> {
        let (nonce, sealed) = wrapped.split_at_checked(NONCE_BYTES).ok_or(CipherError)?;
        let opened = Zeroizing::new(self.open(nonce, aad, sealed)?);
        Secret::from_slice(&opened).ok_or(CipherError)
    }

    fn open(&self, nonce_bytes: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CipherError> {
        let mut bytes = sealed.to_vec();
        let plain = self
            .key()?
            .open_in_place(nonce(nonce_bytes)?, Aad::from(aad), &mut bytes)
            .map_err(|_| CipherError)?
            .len();
        bytes.truncate(plain);
        Ok(bytes)
    }

    fn key(&self) -> Result<LessSafeKey, CipherError> {
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.bytes()).map_err(|_| CipherError)?))
    }
}

/// What is drawn of the system's randomness at once, where many secrets are made: a draw has a price of its own, which is
/// many times that of its bytes.
const DRAWN_BYTES: usize = 4_096;

/// Randomness drawn ahead. What was taken of it is wiped, and so is the rest.
#[derive(Default)]
pub(crate) struct Random {
    drawn: Zeroizing<Vec<u8>>,
    /// So many of them were not taken yet; zeros stand behind.
    left: usize,
    /// Whether more is drawn than is asked for.
    ahead: bool,
}

impl Random {
    /// For many secrets.
    pub(crate) fn ahead() -> Random {
        Random { ahead: true, ..Random::default() }
    }

    fn take<const N: usize>(&mut self) -> Result<Zeroizing<[u8; N]>, CipherError> {
        let mut taken = Zeroizing::new([0; N]);
        if !self.ahead {
            aws_lc_rs::rand::fill(taken.as_mut()).map_err(|_| CipherError)?;
            return Ok(taken);
        }
        if self.left < N {
            self.drawn.resize(DRAWN_BYTES, 0);
            aws_lc_rs::rand::fill(&mut self.drawn).map_err(|_| CipherError)?;
            self.left = self.drawn.len();
        }
        let left = self.left.checked_sub(N).ok_or(CipherError)?;
        let place = self.drawn.get_mut(left..self.left).ok_or(CipherError)?;
        taken.copy_from_slice(place);
        place.zeroize();
        self.left = left;
        Ok(taken)
    }
}

/// A secret that wraps others, made ready once.
pub(crate) struct Wrapping(LessSafeKey);

impl Wrapping {
    /// Wraps a secret: random nonce, then ciphertext and tag. One key may wrap 2^32 secrets before nonces could repeat
    /// with a chance that matters.
    pub(crate) fn wrap(
        &self,
        aad: &[u8],
        secret: &Secret,
        random: &mut Random,
    ) -> Result<Vec<u8>, CipherError> {
        let mut wrapped = Vec::with_capacity(NONCE_BYTES + 32 + 16);
        wrapped.extend_from_slice(random.take::<NONCE_BYTES>()?.as_ref());
        let nonce = nonce(&wrapped)?;
        wrapped.extend_from_slice(secret.bytes());
        let place = wrapped.get_mut(NONCE_BYTES..).unwrap_or_default();
        // In place: the secret stands nowhere else.
        match self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), place) {
            Ok(tag) => wrapped.extend_from_slice(tag.as_ref()),
            Err(_) => {
                wrapped.zeroize();
                return Err(CipherError);
            }
        }
        Ok(wrapped)
    }
}

fn nonce(bytes: &[u8]) -> Result<Nonce, CipherError> {
    Nonce::try_assume_unique_for_key(bytes).map_err(|_| CipherError)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// More than one draw: nothing is given out twice, and nothing is left of it.
    #[test]
    fn what_is_drawn_ahead_is_given_out_once() {
        let mut random = Random::ahead();
        let taken: HashSet<[u8; 32]> = (0..500).map(|_| *Secret::of(&mut random).unwrap().bytes()).collect();
        assert_eq!((taken.len(), taken.contains(&[0; 32])), (500, false));
        assert!(random.left < DRAWN_BYTES);
        assert!(random.drawn[random.left..].iter().all(|byte| *byte == 0));
    }
}
