//! A failure as a field of the document: its code, what happened, and what to do.

use echoline_diagnosis::{Code, Diagnosis, Text, plain};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Problem"))]
pub(crate) struct Written {
    #[cfg_attr(test, schemars(with = "String"))]
    code: Code,
    #[cfg_attr(test, schemars(with = "String"))]
    message: Text,
    #[cfg_attr(test, schemars(with = "String"))]
    remedy: Text,
}

pub(crate) fn serialize<S: Serializer>(problem: &Diagnosis, serializer: S) -> Result<S::Ok, S::Error> {
    let remedy = problem.steps().first().cloned().unwrap_or_else(|| plain(problem.remedy()));
    Written { code: problem.code(), message: problem.whole(), remedy }.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Diagnosis, D::Error> {
    let Written { code, message, remedy } = Written::deserialize(deserializer)?;
    Ok(Diagnosis::new(code, message).next(remedy))
}

/// Of one that need not be there.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Diagnosis, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "super")] Diagnosis);

    pub(crate) fn serialize<S: Serializer>(
        problem: &Option<Diagnosis>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        problem.clone().map(Written).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Diagnosis>, D::Error> {
        Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(problem)| problem))
    }
}
