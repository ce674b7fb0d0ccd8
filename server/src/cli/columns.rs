//! Lists as tables: each column is as wide as the widest of what stands in it, and the last one ends where it ends.

/// A column's head, and where its text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

impl Column {
    const fn head(self) -> &'static str {
        match self {
            Self::Left(head) | Self::Right(head) => head,
        }
    }
}

pub(super) fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(column.head().len())
        })
        .collect();
    let line = |cells: [&str; N]| {
        let cells = columns.iter().zip(&widths).zip(cells).map(|((column, width), cell)| match column {
            Column::Left(_) => format!("{cell:<width$}"),
            Column::Right(_) => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let head = line(columns.map(Column::head));
    rows.iter().fold(head, |table, row| table + &line(row.each_ref().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_stands_in_them() {
        let rows = [
            ["a".to_owned(), "$1".to_owned(), "Größe".to_owned()],
            ["long-name".to_owned(), "$1234567890.5".to_owned(), String::new()],
        ];
        let columns = [Column::Left("NAME"), Column::Right("BUDGET"), Column::Left("DISPLAY NAME")];
        let expected =
            "NAME              BUDGET  DISPLAY NAME\na                     $1  Größe\nlong-name  $1234567890.5\n";
        assert_eq!(table(columns, &rows), expected);
        assert_eq!(table(columns, &[]), "NAME  BUDGET  DISPLAY NAME\n");
    }
}
