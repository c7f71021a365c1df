//! Many short lists in one allocation.

/// Lists one behind the other.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    /// Where each list starts, and where the last ends.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> Lists<T> {
    pub(crate) fn with_capacity(lists: usize, items: usize) -> Self {
        let mut starts = Vec::with_capacity(lists + 1);
        starts.push(0);
        Self {
            starts,
            items: Vec::with_capacity(items),
        }
    }

    pub(crate) fn get(&self, list: usize) -> &[T] {
        &self.items[self.starts[list] as usize..self.starts[list + 1] as usize]
    }

    /// Appends to the list that has not ended.
    pub(crate) fn push_item(&mut self, item: T) {
        self.items.push(item);
    }

    /// Ends a list; the next begins.
    pub(crate) fn end_list(&mut self) {
        self.starts.push(self.items.len() as u32);
    }

    /// `lists` lists from items that say which they belong to, each in the items' order.
    ///
    /// Cost: two runs over the items, so that each list is written where it will stay.
    pub(crate) fn sorted_out<I: Iterator<Item = (u32, T)>>(
        lists: usize,
        items: impl Fn() -> I,
    ) -> Self {
        let mut starts = vec![0u32; lists + 1];
        items().for_each(|(list, _)| starts[list as usize + 1] += 1);
        for list in 0..lists {
            starts[list + 1] += starts[list];
        }
        let mut next = starts.clone();
        let mut places = vec![T::default(); starts[lists] as usize];
        for (list, item) in items() {
            places[next[list as usize] as usize] = item;
            next[list as usize] += 1;
        }
        Self {
            starts,
            items: places,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_to_their_lists_in_order() {
        let items = [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd')];
        let mut lists = Lists::sorted_out(4, || items.into_iter());
        ['x', 'y'].iter().for_each(|&item| lists.push_item(item));
        lists.end_list();
        let all: Vec<&[char]> = (0..5).map(|list| lists.get(list)).collect();
        assert_eq!(all, [&['b'][..], &[], &['a', 'c'], &['d'], &['x', 'y']]);
    }
}
