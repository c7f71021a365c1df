//! `scroll`: records page by page.

use std::io::Write;

use proxime::{OrderBy, field};

use crate::args::Scroll;
use crate::cmd::{get, open_read_only, tell_unknown};
use crate::error::{Error, Exit};
use crate::records;

pub(crate) fn run(args: &Scroll, out: &mut impl Write) -> Result<Exit, Error> {
    let after = args.after.as_ref();
    let after = after.map(|id| records::one(id, args.id_type)).transpose()?;
    let collection = open_read_only(&args.db)?.collection(&args.collection)?;
    let order = args.order_by.as_ref().map(|name| field(name).exists());
    tell_unknown(&collection, args.filter.iter().chain(&order))?;
    let (limit, filter) = (args.limit.get(), args.filter.as_ref());
    let page = match &args.order_by {
        None => collection.scroll(after.as_ref(), limit, filter)?,
        Some(field) => {
            let order = OrderBy {
                field: field.clone(),
                descending: args.descending,
            };
            collection.sorted(&order, after.as_ref(), limit, filter)?
        }
    };
    for record in &page {
        get::show(out, record, args.json)?;
    }
    Ok(Exit::Ok)
}
