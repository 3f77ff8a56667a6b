//! A table of connections whose keys are never confused: a slot is used again, its key is not.

/// Names one connection of one worker. `generation` counts how often the slot was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("descriptors, and so connections, are fewer than 2^32")
        });
        let (generation, slot) = &mut self.slots[index as usize];
        let key = Key { index, generation: *generation };
        *slot = Some(value);
        key
    }

    /// The connection, unless it has ended.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index as usize) {
            Some((generation, slot)) if *generation == key.generation => slot.as_mut(),
            _ => None,
        }
    }

    /// The connection that is in a slot now, with its key.
    pub(crate) fn at_mut(&mut self, index: usize) -> Option<(Key, &mut T)> {
        let (generation, slot) = self.slots.get_mut(index)?;
        let key = Key { index: u32::try_from(index).ok()?, generation: *generation };
        Some((key, slot.as_mut()?))
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let (generation, slot) = self.slots.get_mut(key.index as usize)?;
        if *generation != key.generation {
            return None;
        }
        let value = slot.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// All connections with their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let numbered = (0_u32..).zip(&self.slots);
        numbered.filter_map(|(index, (generation, slot))| {
            Some((Key { index, generation: *generation }, slot.as_ref()?))
        })
    }

    /// The keys of all connections, as they stand now.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_finds_its_own_value_or_none(ops in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200)) {
            let mut slots = Slots::new();
            let mut living: Vec<(Key, usize)> = Vec::new();
            let mut gone: Vec<Key> = Vec::new();
            for (value, (insert, which)) in ops.into_iter().enumerate() {
                if insert || living.is_empty() {
                    living.push((slots.insert(value), value));
                } else {
                    let (key, value) = living.swap_remove(which.index(living.len()));
                    prop_assert_eq!(slots.remove(key), Some(value));
                    gone.push(key);
                }
                for (key, value) in &living {
                    prop_assert_eq!(slots.get_mut(*key).copied(), Some(*value));
                    prop_assert_eq!(slots.at_mut(key.index as usize).map(|(k, v)| (k, *v)), Some((*key, *value)));
                }
                for key in &gone {
                    prop_assert_eq!(slots.get_mut(*key), None);
                    prop_assert_eq!(slots.remove(*key), None);
                }
                let mut expected: Vec<Key> = living.iter().map(|(key, _)| *key).collect();
                expected.sort();
                prop_assert_eq!(slots.keys(), expected);
            }
        }
    }
}
