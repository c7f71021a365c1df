//! A filter as the text that means it.

use std::fmt::{self, Display, Formatter};

use super::scalar::Number;
use super::{Filter, Node, Order, Scalar};
use crate::value::{Hex, Rfc3339};

/// The text that [`Filter::parse`] makes the same filter of, but for times and bytes, which in texts are parameters; for a filter that is wrong, what is wrong.
impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.node() {
            Node::In(field, values) => match values.as_slice() {
                [Scalar::Null] => write!(f, "{field} IS NULL"),
                [value] => write!(f, "{field} = {value}"),
                values => {
                    write!(f, "{field} IN (")?;
                    joined(f, values, ", ", |f, value| value.fmt(f))?;
                    f.write_str(")")
                }
            },
            Node::Order(field, order, value) => write!(f, "{field} {order} {value}"),
            Node::Contains(field, value) => write!(f, "{field} CONTAINS {value}"),
            Node::Exists(field) => write!(f, "{field} IS NOT MISSING"),
            Node::And(filters) => joined(f, filters, " AND ", |f, inner| match inner.node() {
                Node::Or(_) => write!(f, "({inner})"),
                _ => inner.fmt(f),
            }),
            Node::Or(filters) => joined(f, filters, " OR ", |f, inner| inner.fmt(f)),
            Node::Not(inner) => match inner.node() {
                Node::And(_) | Node::Or(_) => write!(f, "NOT ({inner})"),
                _ => write!(f, "NOT {inner}"),
            },
            Node::Wrong(error) => error.fmt(f),
        }
    }
}

fn joined<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    between: &str,
    show: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        show(f, item)?;
    }
    Ok(())
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        })
    }
}

impl Display for Scalar<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Null => f.write_str("NULL"),
            Scalar::Bool(true) => f.write_str("TRUE"),
            Scalar::Bool(false) => f.write_str("FALSE"),
            Scalar::Time(micros) => Rfc3339(*micros).fmt(f),
            Scalar::Bytes(bytes) => Hex(bytes).fmt(f),
            Scalar::Number(Number::Int(value)) => value.fmt(f),
            // With an exponent, so that it is read as a float whatever its size.
            Scalar::Number(Number::Float(value)) => write!(f, "{value:e}"),
            Scalar::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}
