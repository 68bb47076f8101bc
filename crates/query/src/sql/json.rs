//! What an event says that has no column: `entry ->> 'type'`, `entry ->> '$.outcome.attempts[0].code'`.
//!
//! As DuckDB has them: `->` and `json_extract` give the JSON of a value, `->>` and `json_extract_string` its text. The way
//! to it is a member's name, an index, a path from `$` or a JSON pointer from `/`. Where there is nothing, the answer is
//! null.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use serde_json::value::RawValue;

/// Steps of a path.
const MAX_STEPS: usize = 32;

/// Both functions.
pub(super) fn functions() -> [Arc<ScalarUDF>; 2] {
    [false, true].map(|as_text| {
        Arc::new(ScalarUDF::from(Extract { as_text, signature: Signature::any(2, Volatility::Immutable) }))
    })
}

/// The function of which a value is taken.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    as_text: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        if self.as_text { "json_extract_string" } else { "json_extract" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, way] = args.args.as_slice() else {
            return plan_err!("`{}` takes two values", self.name());
        };
        let ColumnarValue::Scalar(way) = way else {
            return plan_err!("the way to a value is written out, as in entry ->> '$.outcome.code'");
        };
        let steps = steps(way)?;
        let is_scalar = matches!(json, ColumnarValue::Scalar(_));
        let texts: ArrayRef =
            cast(&json.to_array(if is_scalar { 1 } else { args.number_rows })?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let values = texts.iter().map(|json| value(json?, steps.as_deref()?, self.as_text));
        let values: StringArray = values.collect();
        if is_scalar {
            let value = values.is_valid(0).then(|| values.value(0).to_owned());
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(value)));
        }
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

/// One step into a value.
#[derive(Debug, PartialEq)]
enum Step {
    Member(String),
    /// Of an array, or of an object whose member is so named.
    Either(String, usize),
    Item(usize),
}

/// The steps of a way; none where it is null.
fn steps(way: &ScalarValue) -> Result<Option<Vec<Step>>> {
    let steps = if let Some(text) = way.try_as_str() {
        let Some(text) = text else { return Ok(None) };
        parse(text)
    } else {
        match way {
            ScalarValue::Int64(Some(item)) => usize::try_from(*item).ok().map(|item| vec![Step::Item(item)]),
            _ => None,
        }
    };
    match steps.filter(|steps| steps.len() <= MAX_STEPS) {
        Some(steps) => Ok(Some(steps)),
        None => plan_err!("`{way}` is no way to a value: write a name, an index, '$.a.b[0]' or '/a/b/0'"),
    }
}

fn parse(text: &str) -> Option<Vec<Step>> {
    if let Some(pointer) = text.strip_prefix('/') {
        let step = |part: &str| {
            let name = part.replace("~1", "/").replace("~0", "~");
            match name.parse() {
                Ok(item) => Step::Either(name, item),
                Err(_) => Step::Member(name),
            }
        };
        return Some(pointer.split('/').map(step).collect());
    }
    let Some(mut path) = text.strip_prefix('$') else { return Some(vec![Step::Member(text.to_owned())]) };
    let mut steps = Vec::new();
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix("[") {
            let (item, rest) = rest.split_once(']')?;
            steps.push(Step::Item(item.parse().ok()?));
            path = rest;
        } else if let Some(rest) = path.strip_prefix(".\"") {
            let (name, rest) = rest.split_once('"')?;
            steps.push(Step::Member(name.to_owned()));
            path = rest;
        } else {
            let rest = path.strip_prefix('.')?;
            let (name, rest) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            steps.push(Step::Member(Some(name).filter(|name| !name.is_empty())?.to_owned()));
            path = rest;
        }
    }
    Some(steps)
}

/// The value at the end of a way, as JSON or as text.
fn value(json: &str, steps: &[Step], as_text: bool) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(json).ok()?;
    for step in steps {
        value = inside(value.get(), step)?;
    }
    let json = value.get();
    match as_text {
        true if json == "null" => None,
        true if json.starts_with('"') => serde_json::from_str(json).ok(),
        _ => Some(json.to_owned()),
    }
}

/// What a value has at one step; of members with one name the last, as who reads the whole would have it.
fn inside<'a>(json: &'a str, step: &Step) -> Option<&'a RawValue> {
    let (name, item) = match step {
        Step::Member(name) => (Some(name), None),
        Step::Item(item) => (None, Some(*item)),
        Step::Either(name, item) => (Some(name), Some(*item)),
    };
    let mut json = serde_json::Deserializer::from_str(json);
    serde::de::Deserializer::deserialize_any(&mut json, Inside { name: name.map(String::as_str), item })
        .ok()
        .flatten()
}

struct Inside<'n> {
    name: Option<&'n str>,
    item: Option<usize>,
}

impl<'de> serde::de::Visitor<'de> for Inside<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if self.name == Some(&*name) {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(
        self,
        mut items: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let (mut found, mut at) = (None, 0);
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            if self.item == Some(at) {
                found = Some(item);
            }
            at += 1;
        }
        Ok(found)
    }
}

/// Reads `->` and `->>`.
#[derive(Debug)]
pub(super) struct Arrows;

impl ExprPlanner for Arrows {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let [as_json, as_text] = functions();
        let function = match expr.op {
            BinaryOperator::Arrow => as_json,
            BinaryOperator::LongArrow => as_text,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = ScalarFunction::new_udf(function, vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn check(way: impl Into<ScalarValue>) -> String {
        let json = r#"{"a":{"b":[1,{"c":"x\"y"},null]},"1":"one","a b":true,"d":"first","d":"last"}"#;
        match steps(&way.into()) {
            Ok(steps) => {
                let steps = steps.unwrap();
                format!("{:?} {:?}", value(json, &steps, false), value(json, &steps, true))
            }
            Err(error) => error.strip_backtrace(),
        }
    }

    #[test]
    fn ways() {
        insta::assert_snapshot!(check("1"), @r#"Some("\"one\"") Some("one")"#);
        insta::assert_snapshot!(check("a b"), @r#"Some("true") Some("true")"#);
        insta::assert_snapshot!(check("$.a.b[1].c"), @r#"Some("\"x\\\"y\"") Some("x\"y")"#);
        insta::assert_snapshot!(check("$.a.b[1]"), @r#"Some("{\"c\":\"x\\\"y\"}") Some("{\"c\":\"x\\\"y\"}")"#);
        insta::assert_snapshot!(check("$.\"a b\""), @r#"Some("true") Some("true")"#);
        insta::assert_snapshot!(check("/a/b/0"), @r#"Some("1") Some("1")"#);
        insta::assert_snapshot!(check("/1"), @r#"Some("\"one\"") Some("one")"#);
        insta::assert_snapshot!(check("$.a.b[2]"), @r#"Some("null") None"#);
        insta::assert_snapshot!(check("d"), @r#"Some("\"last\"") Some("last")"#);
        insta::assert_snapshot!(check("$.a.b[3]"), @"None None");
        insta::assert_snapshot!(check("$.a.b.c"), @"None None");
        insta::assert_snapshot!(check(0_i64), @"None None");
        insta::assert_snapshot!(check("$.a[x]"), @"Error during planning: `$.a[x]` is no way to a value: write a name, an index, '$.a.b[0]' or '/a/b/0'");
        insta::assert_snapshot!(check(-1_i64), @"Error during planning: `-1` is no way to a value: write a name, an index, '$.a.b[0]' or '/a/b/0'");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a\"\\\\é]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[ab]", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// A pointer leads where serde_json says.
        #[test]
        fn pointers(json in json(), parts in prop::collection::vec("[ab012]", 1..4)) {
            let pointer = format!("/{}", parts.join("/"));
            let steps = parse(&pointer).unwrap();
            let found = value(&json.to_string(), &steps, false);
            prop_assert_eq!(found, json.pointer(&pointer).map(Value::to_string));
        }

        #[test]
        fn nothing_panics(json in ".{0,40}", way in ".{0,20}") {
            if let Some(steps) = parse(&way) {
                let _ = value(&json, &steps, true);
            }
        }
    }
}
