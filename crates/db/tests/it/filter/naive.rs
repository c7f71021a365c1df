//! What filters mean, written a second time: a tree of its own, evaluated over values one record at a time; and its two
//! notations.

use proptest::prelude::*;
use proxime::{Filter, Metadata, Value, field};
use serde_json::{Value as Json, json};

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Eq(&'static str, Value),
    Ne(&'static str, Value),
    Lt(&'static str, Value),
    Lte(&'static str, Value),
    Gt(&'static str, Value),
    Gte(&'static str, Value),
    In(&'static str, Vec<Value>),
    Nin(&'static str, Vec<Value>),
    Contains(&'static str, Value),
    Exists(&'static str, bool),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

/// The value at a dotted path through objects.
fn look<'a>(metadata: &'a Metadata, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => metadata.get(path),
        Some((outer, inner)) => match metadata.get(outer)? {
            Value::Object(object) => look(object, inner),
            _ => None,
        },
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
        (Value::Object(_) | Value::List(_), _) => false,
        _ => a == b,
    }
}

/// Small numbers only: the exact comparison has a test of its own.
fn less(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Int(i) => Some(*i as f64),
        Value::Float(x) => Some(*x),
        _ => None,
    };
    match (number(a), number(b), a, b) {
        (Some(a), Some(b), ..) => a < b,
        (_, _, Value::Text(a), Value::Text(b)) => a.chars().lt(b.chars()),
        (_, _, Value::Time(a), Value::Time(b)) => a < b,
        _ => false,
    }
}

impl Tree {
    pub(crate) fn matches(&self, metadata: &Metadata) -> bool {
        let value = |path| look(metadata, path).cloned().unwrap_or(Value::Null);
        match self {
            Tree::Eq(path, other) => equal(&value(path), other),
            Tree::Ne(path, other) => !equal(&value(path), other),
            Tree::Lt(path, other) => less(&value(path), other),
            Tree::Gt(path, other) => less(other, &value(path)),
            Tree::Lte(path, other) => {
                let here = value(path);
                less(&here, other) || equal(&here, other)
            }
            Tree::Gte(path, other) => {
                let here = value(path);
                less(other, &here) || equal(&here, other)
            }
            Tree::In(path, list) => list.iter().any(|other| equal(&value(path), other)),
            Tree::Nin(path, list) => !list.iter().any(|other| equal(&value(path), other)),
            Tree::Contains(path, part) => match (value(path), part) {
                (Value::List(list), part) => list.iter().any(|item| equal(item, part)),
                (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Tree::Exists(path, there) => look(metadata, path).is_some() == *there,
            Tree::And(trees) => trees.iter().all(|tree| tree.matches(metadata)),
            Tree::Or(trees) => trees.iter().any(|tree| tree.matches(metadata)),
            Tree::Not(tree) => !tree.matches(metadata),
        }
    }

    pub(crate) fn json(&self) -> Json {
        let list = |list: &[Value]| Json::Array(list.iter().map(Value::to_json).collect());
        let trees = |trees: &[Tree]| Json::Array(trees.iter().map(Tree::json).collect());
        match self {
            Tree::Eq(path, value) => json!({*path: value.to_json()}),
            Tree::Ne(path, value) => json!({*path: {"$ne": value.to_json()}}),
            Tree::Lt(path, value) => json!({*path: {"$lt": value.to_json()}}),
            Tree::Lte(path, value) => json!({*path: {"$lte": value.to_json()}}),
            Tree::Gt(path, value) => json!({*path: {"$gt": value.to_json()}}),
            Tree::Gte(path, value) => json!({*path: {"$gte": value.to_json()}}),
            Tree::In(path, values) => json!({*path: {"$in": list(values)}}),
            Tree::Nin(path, values) => json!({*path: {"$nin": list(values)}}),
            Tree::Contains(path, value) => json!({*path: {"$contains": value.to_json()}}),
            Tree::Exists(path, there) => json!({*path: {"$exists": there}}),
            Tree::And(inner) => json!({"$and": trees(inner)}),
            Tree::Or(inner) => json!({"$or": trees(inner)}),
            Tree::Not(inner) => json!({"$not": inner.json()}),
        }
    }

    pub(crate) fn text(&self) -> String {
        let one = |value: &Value| match value {
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            other => other.to_json().to_string(),
        };
        let list = |list: &[Value]| list.iter().map(one).collect::<Vec<_>>().join(" , ");
        let trees = |trees: &[Tree], word: &str| {
            let parts: Vec<String> = trees
                .iter()
                .map(|tree| format!("({})", tree.text()))
                .collect();
            parts.join(word)
        };
        match self {
            Tree::Eq(path, value) => format!("{path} == {}", one(value)),
            Tree::Ne(path, value) => format!("{path} <> {}", one(value)),
            Tree::Lt(path, value) => format!("{path}<{}", one(value)),
            Tree::Lte(path, value) => format!("{path} <={}", one(value)),
            Tree::Gt(path, value) => format!("{path}> {}", one(value)),
            Tree::Gte(path, value) => format!("{path} >= {}", one(value)),
            Tree::In(path, values) => format!("{path} in ({})", list(values)),
            Tree::Nin(path, values) => format!("{path} Not IN({})", list(values)),
            Tree::Contains(path, value) => format!("{path} contains {}", one(value)),
            Tree::Exists(path, true) => format!("{path} is not missing"),
            Tree::Exists(path, false) => format!("{path} is missing"),
            Tree::And(inner) => trees(inner, " and "),
            Tree::Or(inner) => trees(inner, "OR"),
            Tree::Not(inner) => format!("NOT({})", inner.text()),
        }
    }

    pub(crate) fn built(&self) -> Filter {
        let all = |trees: &[Tree]| trees.iter().map(Tree::built).collect::<Vec<_>>();
        match self {
            Tree::Eq(path, value) => field(path).eq(value.clone()),
            Tree::Ne(path, value) => field(path).ne(value.clone()),
            Tree::Lt(path, value) => field(path).lt(value.clone()),
            Tree::Lte(path, value) => field(path).le(value.clone()),
            Tree::Gt(path, value) => field(path).gt(value.clone()),
            Tree::Gte(path, value) => field(path).ge(value.clone()),
            Tree::In(path, values) => field(path).is_in(values.clone()),
            Tree::Nin(path, values) => !field(path).is_in(values.clone()),
            Tree::Contains(path, value) => field(path).contains(value.clone()),
            Tree::Exists(path, true) => field(path).exists(),
            Tree::Exists(path, false) => !field(path).exists(),
            Tree::And(inner) => Filter::all(all(inner)),
            Tree::Or(inner) => Filter::any(all(inner)),
            Tree::Not(inner) => !inner.built(),
        }
    }
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "o.a", "o.p.b", "o"])
}

fn ordered() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2..3i64).prop_map(Value::Int),
        (-4..5i32).prop_map(|halves| Value::Float(f64::from(halves) / 2.0)),
        "[ab'é]{0,2}".prop_map(Value::Text),
    ]
}

fn single() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        5 => ordered(),
    ]
}

/// What neither JSON nor the text form can say without parameters.
fn time() -> impl Strategy<Value = Value> {
    (-2..3i64).prop_map(Value::Time)
}

/// Those, too.
fn stored() -> impl Strategy<Value = Value> {
    let bytes = prop::collection::vec(0..2u8, 0..2).prop_map(Value::Bytes);
    prop_oneof![7 => single(), 1 => time(), 1 => bytes]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => stored(),
        2 => prop::collection::vec(stored(), 0..4).prop_map(Value::List),
        1 => prop::collection::vec(prop::collection::vec(stored(), 1..2).prop_map(Value::List), 1..2)
            .prop_map(Value::List),
    ]
}

/// Records whose fields are those of [`path`], of every type, and often missing.
pub(crate) fn metadata() -> impl Strategy<Value = Metadata> {
    let object = |value: BoxedStrategy<Value>, names: &'static [&'static str]| {
        let name = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
        prop::collection::btree_map(name, value, 0..4)
    };
    let inner = object(any_value().boxed(), &["a", "b"]).prop_map(Value::Object);
    let middle = prop_oneof![any_value(), inner];
    let outer = object(middle.boxed(), &["a", "p"]).prop_map(Value::Object);
    let value = prop_oneof![3 => any_value(), 2 => outer];
    object(value.boxed(), &["a", "b", "o"])
}

/// Filters that every notation can say.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    tree_of(single().boxed(), ordered().boxed())
}

/// Filters on values of every type.
pub(crate) fn any_tree() -> impl Strategy<Value = Tree> {
    let ordered = prop_oneof![4 => ordered(), 1 => time()];
    tree_of(stored().boxed(), ordered.boxed())
}

fn tree_of(
    single: BoxedStrategy<Value>,
    ordered: BoxedStrategy<Value>,
) -> impl Strategy<Value = Tree> {
    let single = || single.clone();
    let ordered = || ordered.clone();
    let many = || prop::collection::vec(single(), 0..4);
    let leaf = prop_oneof![
        (path(), single()).prop_map(|(p, v)| Tree::Eq(p, v)),
        (path(), single()).prop_map(|(p, v)| Tree::Ne(p, v)),
        (path(), ordered()).prop_map(|(p, v)| Tree::Lt(p, v)),
        (path(), ordered()).prop_map(|(p, v)| Tree::Lte(p, v)),
        (path(), ordered()).prop_map(|(p, v)| Tree::Gt(p, v)),
        (path(), ordered()).prop_map(|(p, v)| Tree::Gte(p, v)),
        (path(), many()).prop_map(|(p, v)| Tree::In(p, v)),
        (path(), many()).prop_map(|(p, v)| Tree::Nin(p, v)),
        (path(), single()).prop_map(|(p, v)| Tree::Contains(p, v)),
        (path(), any::<bool>()).prop_map(|(p, there)| Tree::Exists(p, there)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several.clone().prop_map(Tree::And),
            several.prop_map(Tree::Or),
            inner.prop_map(|tree| Tree::Not(Box::new(tree))),
        ]
    })
}
