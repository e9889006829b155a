//! A table on the screen: rows below a heading, each column as wide as its widest cell. A letter
//! counts as the columns that a terminal gives it, as in text that is wrapped.

use textwrap::core::display_width;

/// A column's heading, and how its cells stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub heading: &'static str,
    /// It is so wide at least.
    pub width: usize,
    /// Its cells end below each other, as numbers do.
    pub is_flush_right: bool,
}

#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    /// Blanks between two columns.
    gap: usize,
    rows: Vec<Vec<String>>,
}

impl Column {
    pub(crate) fn of_texts(heading: &'static str) -> Column {
        Column {
            heading,
            width: display_width(heading),
            is_flush_right: false,
        }
    }
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>, gap: usize) -> Table {
        Table {
            columns,
            gap,
            rows: Vec::new(),
        }
    }

    /// A row, with a cell for each column.
    pub(crate) fn push(&mut self, cells: Vec<String>) {
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.width = column.width.max(display_width(cell));
        }
        self.rows.push(cells);
    }

    pub(crate) fn width(&self) -> usize {
        let widths = self.columns.iter().map(|column| column.width + self.gap);
        widths.sum::<usize>().saturating_sub(self.gap)
    }

    /// Leaves out the column `at`; counted from 0.
    pub(crate) fn leave_out(&mut self, at: usize) {
        self.columns.remove(at);
        for row in &mut self.rows {
            row.remove(at);
        }
    }

    pub(crate) fn heading(&self) -> String {
        self.line(self.columns.iter().map(|column| column.heading))
    }

    /// A line for each row, in the order in which they came.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let cells = |row: &'_ Vec<String>| self.line(row.iter().map(String::as_str));
        self.rows.iter().map(cells)
    }

    fn line<'c>(&self, cells: impl Iterator<Item = &'c str>) -> String {
        let padded: Vec<String> = self
            .columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| {
                let blanks = " ".repeat(column.width.saturating_sub(display_width(cell)));
                if column.is_flush_right {
                    format!("{blanks}{cell}")
                } else {
                    format!("{cell}{blanks}")
                }
            })
            .collect();
        padded.join(&" ".repeat(self.gap)).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_letter_counts_as_the_two_columns_that_it_takes() {
        let mut table = Table::new(vec![Column::of_texts("A"), Column::of_texts("B")], 1);
        table.push(vec!["数据".to_owned(), "x".to_owned()]);
        table.push(vec!["a—b".to_owned(), "y".to_owned()]);
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(lines, ["数据 x", "a—b  y"]);
    }

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_and_no_line_ends_with_blanks() {
        let number = Column {
            heading: "N",
            width: 3,
            is_flush_right: true,
        };
        let texts = Column::of_texts;
        let mut table = Table::new(vec![texts("NAME"), number, texts("WHY")], 2);
        table.push(["\u{e4}", "10", "because"].map(str::to_owned).to_vec());
        table.push(["longer", "1", ""].map(str::to_owned).to_vec());
        assert_eq!(table.heading(), "NAME      N  WHY");
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            ["\u{e4}        10  because", "longer    1"]
        );
        assert_eq!(table.width(), 20);
        table.leave_out(1);
        assert_eq!(
            (table.width(), table.heading().as_str()),
            (15, "NAME    WHY")
        );
        assert_eq!(
            table.lines().next().as_deref(),
            Some("\u{e4}       because")
        );
    }
}
