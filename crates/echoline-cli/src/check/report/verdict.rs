//! The verdict as a field of the document.

use echoline_diagnosis::{Certainty, Code, Diagnosis, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Written {
    code: Code,
    certainty: Certainty,
    sentence: Text,
    /// What to do, best first. Empty when nothing is wrong.
    next: Vec<Text>,
}

pub(super) fn serialize<S: Serializer>(verdict: &Diagnosis, serializer: S) -> Result<S::Ok, S::Error> {
    let (code, certainty) = (verdict.code(), verdict.certainty());
    Written { code, certainty, sentence: verdict.whole(), next: verdict.steps().to_vec() }
        .serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Diagnosis, D::Error> {
    let Written { code, certainty, sentence, next } = Written::deserialize(deserializer)?;
    Ok(Diagnosis::new(code, sentence).with_certainty(certainty).with_next(next))
}
