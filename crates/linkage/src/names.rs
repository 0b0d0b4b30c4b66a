//! The register's words and names, each stored once.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::hash::{self, NumberHasher, Slots};
use crate::name::{NameView, WORDS};
use crate::token::{Token, analyse, words};

pub(crate) const NO_NAME: u32 = u32::MAX;

/// Words are found by a 64-bit hash of their bytes as written, so that a word is analysed once however often
/// it occurs. Names are sequences of words in one arena.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    memo: HashMap<u64, u32, BuildHasherDefault<NumberHasher>>,
    tokens: Vec<Token>,
    classes: HashMap<u64, u32, BuildHasherDefault<NumberHasher>>,
    arena: Vec<u32>,
    starts: Vec<u32>,
    table: Slots,
}

/// A query's name: known words are taken from the register, others are analysed for the occasion.
#[derive(Clone, Debug)]
pub(crate) struct QueryName {
    id: Option<u32>,
    tokens: Vec<Token>,
}

impl QueryName {
    pub(crate) fn view(&self) -> NameView<'_> {
        NameView::new(self.id, self.tokens.iter())
    }
}

impl Names {
    pub(crate) fn new() -> Names {
        Names {
            memo: HashMap::default(),
            tokens: Vec::new(),
            classes: HashMap::default(),
            arena: Vec::new(),
            starts: vec![0],
            table: Slots::with_capacity(64),
        }
    }

    /// The number of this name, given now if it is new; `NO_NAME` for a text without words.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        let mut sequence = [0u32; WORDS];
        let mut len = 0;
        for word in words(text) {
            sequence[len.min(WORDS - 1)] = self.intern_word(word);
            len = (len + 1).min(WORDS);
        }
        if len == 0 {
            return NO_NAME;
        }
        let sequence = &sequence[..len];
        let key = sequence_hash(sequence);
        if let Some(id) = self.table.find(key, |id| self.sequence(id) == sequence) {
            return id;
        }
        let id = (self.starts.len() - 1) as u32;
        self.arena.extend_from_slice(sequence);
        self.starts.push(self.arena.len() as u32);
        let (arena, starts) = (&self.arena, &self.starts);
        self.table.put(
            key,
            id,
            |_| false,
            |id| sequence_hash(&arena[starts[id as usize] as usize..starts[id as usize + 1] as usize]),
        );
        id
    }

    fn intern_word(&mut self, word: &str) -> u32 {
        let key = hash::bytes(word.as_bytes());
        if let Some(&id) = self.memo.get(&key) {
            return id;
        }
        let mut token = analyse(word);
        let next = self.classes.len() as u32;
        token.class = *self.classes.entry(token.folded).or_insert(next);
        // Spellings that differ only in case or normal form are one word.
        let raw_key = hash::mix(token.raw, 1);
        let id = *self.memo.entry(raw_key).or_insert(self.tokens.len() as u32);
        if id as usize == self.tokens.len() {
            self.tokens.push(token);
        }
        self.memo.insert(key, id);
        id
    }

    /// Looks a name up without remembering it.
    pub(crate) fn query(&self, text: &str) -> QueryName {
        let mut tokens: Vec<Token> = Vec::with_capacity(5);
        let mut sequence = [0u32; WORDS];
        let mut known = true;
        for word in words(text) {
            let (token, id) = self.query_word(word);
            known &= id.is_some();
            if tokens.len() == WORDS {
                tokens.pop();
            }
            sequence[tokens.len()] = id.unwrap_or(NO_NAME);
            tokens.push(token);
        }
        let sequence = &sequence[..tokens.len()];
        let id = (known && !tokens.is_empty())
            .then(|| self.table.find(sequence_hash(sequence), |id| self.sequence(id) == sequence))
            .flatten();
        QueryName { id, tokens }
    }

    fn query_word(&self, word: &str) -> (Token, Option<u32>) {
        if let Some(&id) = self.memo.get(&hash::bytes(word.as_bytes())) {
            return (self.tokens[id as usize], Some(id));
        }
        let mut token = analyse(word);
        if let Some(&id) = self.memo.get(&hash::mix(token.raw, 1)) {
            return (self.tokens[id as usize], Some(id));
        }
        token.class = self.classes.get(&token.folded).copied().unwrap_or(u32::MAX);
        (token, None)
    }

    pub(crate) fn view(&self, id: u32) -> NameView<'_> {
        if id == NO_NAME {
            return NameView::new(None, std::iter::empty());
        }
        NameView::new(Some(id), self.sequence(id).iter().map(|&token| &self.tokens[token as usize]))
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Reads of each of these names what `view` will read, so that the waits for memory overlap.
    pub(crate) fn touch(&self, ids: impl Iterator<Item = u32>, starts: &mut Vec<u32>) -> u32 {
        starts.clear();
        starts.extend(ids.filter(|&id| id != NO_NAME).map(|id| self.starts[id as usize]));
        starts.iter().fold(0, |sum, &start| sum ^ self.arena[start as usize])
    }

    fn sequence(&self, id: u32) -> &[u32] {
        &self.arena[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    /// Memory held, estimated from capacities; the maps of words are counted at 16 bytes an entry.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.capacity() * 4
            + self.starts.capacity() * 4
            + self.table.bytes()
            + self.tokens.capacity() * size_of::<Token>()
            + (self.memo.capacity() + self.classes.capacity()) * 18
    }
}

fn sequence_hash(sequence: &[u32]) -> u64 {
    sequence.iter().fold(sequence.len() as u64, |state, &word| hash::mix(state, u64::from(word)))
}
