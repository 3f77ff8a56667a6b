//! The verdict as a field of the document.

use echoline_diagnosis::{Certainty, Code, Diagnosis, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Verdict"))]
pub(crate) struct Written {
    #[cfg_attr(test, schemars(with = "String"))]
    code: Code,
    #[cfg_attr(test, schemars(with = "Sure"))]
    certainty: Certainty,
    #[cfg_attr(test, schemars(with = "String"))]
    sentence: Text,
    /// What to do, best first. Empty when nothing is wrong.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    next: Vec<Text>,
}

/// How sure a verdict is.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Certainty", rename_all = "kebab-case")]
#[expect(dead_code, reason = "for the schema alone")]
enum Sure {
    /// What was seen has no other explanation.
    Certain,
    /// Other explanations remain, and they are rarer.
    Likely,
    /// Two or more explanations fit equally well.
    CannotTell,
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
