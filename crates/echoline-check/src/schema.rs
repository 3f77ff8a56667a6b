//! docs/check.schema.json is what the types say, and the recorded documents are what it says.

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{MachineReport, Report};

/// Any document that `echoline check --json` prints.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "for the schema alone")]
enum Document {
    Check(Report),
    Machine(MachineReport),
}

fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "echoline check --json".into());
    schema.to_value()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let file = directory().join("../../docs/check.schema.json");
    let schema = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("ECHOLINE_UPDATE").is_some() {
        fs::write(&file, &schema).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == schema, "run: ECHOLINE_UPDATE=1 cargo test -p echoline-check schema");
}

#[test]
fn every_recorded_document_fits_the_schema() {
    let schema = generated();
    let files = fs::read_dir(directory().join("tests/documents")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 20);
    for file in files {
        let document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(complaint(&schema, &schema, &document), None, "{}", file.display());
        let mut broken = document.clone();
        broken["schema"] = 1.into();
        assert!(complaint(&schema, &schema, &broken).is_some(), "{}", file.display());
    }
}

/// What of the document does not fit, by the keywords that our schema uses.
fn complaint(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(true) => return None,
        Value::Object(schema) => schema,
        other => return Some(format!("{other} is no schema")),
    };
    let fits = |schema: &Value| complaint(root, schema, value).is_none();
    let all = |schemas: &Value| schemas.as_array().unwrap().iter().filter(|one| fits(one)).count();
    let why = |rule: &Value| Some(format!("{value} does not fit {rule}"));
    for (keyword, rule) in schema {
        let found = match keyword.as_str() {
            "$ref" => complaint(root, root.pointer(&rule.as_str().unwrap()[1..]).unwrap(), value),
            "type" => (!is_of(rule, value)).then(|| why(rule)).flatten(),
            "const" => (rule != value).then(|| why(rule)).flatten(),
            "enum" => (!rule.as_array().unwrap().contains(value)).then(|| why(rule)).flatten(),
            "not" => fits(rule).then(|| why(rule)).flatten(),
            "anyOf" => (all(rule) == 0).then(|| why(rule)).flatten(),
            "oneOf" => (all(rule) != 1).then(|| why(rule)).flatten(),
            "required" => {
                let missing =
                    |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
                rule.as_array().unwrap().iter().find(missing).and_then(why)
            }
            "properties" => {
                rule.as_object().unwrap().iter().find_map(|(name, schema)| {
                    value.get(name).and_then(|field| complaint(root, schema, field))
                })
            }
            "items" => value.as_array().into_iter().flatten().find_map(|item| complaint(root, rule, item)),
            "prefixItems" => {
                let items = value.as_array().into_iter().flatten();
                items.zip(rule.as_array().unwrap()).find_map(|(item, schema)| complaint(root, schema, item))
            }
            "minimum" => (value.is_number() && value.as_f64() < rule.as_f64()).then(|| why(rule)).flatten(),
            "$schema"
            | "$defs"
            | "title"
            | "description"
            | "format"
            | "maximum"
            | "minItems"
            | "maxItems"
            | "additionalProperties" => None,
            other => Some(format!("{other} is a keyword that this test does not know")),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_of(types: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}
